"""What happens beside training: progress, numbers, sample grids, checkpoints, and watches that stop or warn.

All of them go by the model's saved step, so that a resumed run continues their rhythm where it stood. A train step
returns the values of that step (not running means).
"""

import json
import math
import os
import signal
import sys
import time

import keras
import numpy as np
from tqdm import tqdm

from tfface import checkpoints
from tfface.samples import save_png

# What the one-line bar shows, in this order, as far as a model has it; everything is in metrics.jsonl.
SHOWN = ("d_loss", "d_cond", "g_loss", "g_adv", "g_cond", "g_cyc", "g_rec", "attention_mean")


def steps_done(model):
    """Returns the model's saved step as a number, on one device and on replicas."""
    return int(np.asarray(model.step))


class StepCallback(keras.callbacks.Callback):
    """Calls `on_step(step, logs)` with the model's saved step after every train step."""

    def on_train_batch_end(self, batch, logs=None):
        self.on_step(steps_done(self.model), logs)


class StopOnNonFinite(StepCallback):
    """Stops a run whose losses are NaN or infinite, before anything of that step is saved."""

    def on_step(self, step, logs):
        for name, value in logs.items():
            if not math.isfinite(value):
                raise checkpoints.NonFiniteError(name, step)


class StopOnSignal(StepCallback):
    """Lets the first Ctrl-C or SIGTERM end the step that is running; a second one interrupts at once."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self):
        super().__init__()
        self.asked = False

    def on_step(self, step, logs):
        if self.asked:
            self.model.stop_training = True

    def __enter__(self):
        self.before = {number: signal.signal(number, self._ask) for number in self.SIGNALS}
        return self

    def __exit__(self, *exception):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _ask(self, number, frame):
        self.asked = True
        os.write(2, b"\nStopping after this step; once more stops at once and loses what is not saved yet\n")
        signal.signal(number, signal.default_int_handler)


class Progress(StepCallback):
    """One line: steps of the whole run, time left, and the main terms averaged over the last second or more."""

    def __init__(self, first_step, total_steps, show=True):
        super().__init__()
        terminal = sys.stderr.isatty()
        self.bar = tqdm(
            total=total_steps,
            initial=first_step,
            unit="step",
            dynamic_ncols=True,
            mininterval=0.5 if terminal else 20.0,
            smoothing=0.05,
            disable=not show,
        )
        self.means, self.shown_at = Means(), time.monotonic()

    def on_step(self, step, logs):
        self.means.add(logs)
        if time.monotonic() - self.shown_at > 1:
            means = self.means.take()
            text = " ".join(f"{name}={means[name]:.3g}" for name in SHOWN if name in means)
            self.bar.set_postfix_str(text, refresh=False)
            self.shown_at = time.monotonic()
        self.bar.update(step - self.bar.n)

    def close(self):
        """Leaves the last state of the bar on its line."""
        self.bar.close()


class Means:
    """Running means of named terms, taken and started again."""

    def __init__(self):
        self.sums, self.count = {}, 0

    def add(self, logs):
        for name, value in logs.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)
        self.count += 1

    def take(self):
        """Returns the means since the last call; call it after at least one `add`."""
        means = {name: total / self.count for name, total in self.sums.items()}
        self.sums, self.count = {}, 0
        return means


class MetricsLog(StepCallback):
    """Writes means over every `every` steps to metrics.jsonl and, for TensorBoard, to logs/."""

    def __init__(self, run, every, total_steps, events):
        super().__init__()
        self.path, self.every, self.total_steps, self.events = run / "metrics.jsonl", every, total_steps, events
        self.means, self.seconds = Means(), 0.0

    def on_train_batch_begin(self, batch, logs=None):
        self.began = time.monotonic()

    def on_step(self, step, logs):
        self.seconds += time.monotonic() - self.began  # of train steps alone, without samples and checkpoints
        self.means.add(logs)
        if step % self.every and step != self.total_steps:
            return
        steps = self.means.count
        line = {"step": step, "phase": self.model.phase_at(step - 1)[0], "steps": steps} | self.means.take()
        line |= learning_rates(self.model)
        line["images_per_second"] = steps * self.model.examples_per_step / max(self.seconds, 1e-9)
        self.seconds = 0.0
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        for name, value in line.items():
            if isinstance(value, float):
                self.events.scalar(name, value, step)
        self.events.flush()


def learning_rates(model):
    """Returns the present rate of each of the model's optimizers: ``g_learning_rate`` of ``g_optimizer``, and so on."""
    return {
        name.replace("optimizer", "learning_rate"): float(np.asarray(optimizer.learning_rate))
        for name, optimizer in sorted(vars(model).items())
        if isinstance(optimizer, keras.optimizers.Optimizer)
    }


def truncate_metrics(path, step):
    """Drops the lines of metrics.jsonl after `step` and a half-written last line; a resumed run then repeats none."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except ValueError:
            break
    part = path.with_name(path.name + ".part")
    part.write_text("".join(kept))
    part.replace(path)


class SampleGrid(StepCallback):
    """Writes the grid to samples/step-NNNNNN.png and TensorBoard: before the first step, every `every`, at the end."""

    def __init__(self, run, grid, every, total_steps, events):
        super().__init__()
        self.directory, self.grid, self.every = run / "samples", grid, every
        self.total_steps, self.events = total_steps, events
        self.directory.mkdir(exist_ok=True)

    def on_train_begin(self, logs=None):
        if steps_done(self.model) == 0:
            self.write(0)

    def on_step(self, step, logs):
        if step % self.every == 0 or step == self.total_steps:
            self.write(step)

    def write(self, step):
        picture = self.grid.draw(self.model)
        save_png(self.directory / f"step-{step:06d}.png", picture)
        self.events.image("samples", picture, step)


class Checkpoint(StepCallback):
    """Saves everything every `every` steps and at the end."""

    def __init__(self, run, every, keep, total_steps):
        super().__init__()
        self.directory, self.every, self.keep, self.total_steps = run / "checkpoints", every, keep, total_steps

    def on_step(self, step, logs):
        if step % self.every == 0 or step == self.total_steps:
            checkpoints.save(self.model, self.directory, self.keep)


class CheckWeights(StepCallback):
    """Where `Checkpoint` saves in the first process of a job, finds in the others what it would refuse to save."""

    def __init__(self, every, total_steps):
        super().__init__()
        self.every, self.total_steps = every, total_steps

    def on_step(self, step, logs):
        if step % self.every == 0 or step == self.total_steps:
            checkpoints.check_finite(self.model)


class AttentionWatch(StepCallback):
    """Warns, once per direction, when the attention mask has been saturated for a while: then nothing is learned."""

    ADVICE = {
        "high": "keeps the input, so nothing is edited: raise lambda_cond or lambda_mask, or lower lambda_edit",
        "low": "replaces everything, so the person is lost: raise lambda_edit or lambda_cyc, or lower lambda_mask",
    }

    def __init__(self, say, patience):
        super().__init__()
        self.say, self.patience = say, patience
        self.streak, self.warned = {"high": 0, "low": 0}, {"high": False, "low": False}

    def on_step(self, step, logs):
        mean = logs.get("attention_mean")
        if mean is None:
            return
        for side, saturated in (("high", mean > 0.97), ("low", mean < 0.03)):
            self.streak[side] = self.streak[side] + 1 if saturated else 0
            if self.streak[side] == self.patience and not self.warned[side]:
                self.warned[side] = True
                self.say(f"step {step}: the attention mask ({mean:.3f} on average) {self.ADVICE[side]} (--set).")
