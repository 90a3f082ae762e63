"""From settings to a finished run: data, model, callbacks, ``fit``; and the way back into a run that was stopped.

A run directory is complete at every moment: config.json is written before anything runs, checkpoints are atomic, and
metrics.jsonl is cut back to the checkpoint when a run is resumed. Resuming at any step gives the weights of the
uninterrupted run, bit for bit: batches and random numbers are functions of the seed and the saved step.
"""

import contextlib
import dataclasses
import datetime
import functools
import hashlib
import platform
from pathlib import Path

from tqdm import tqdm

from tfface import checkpoints, config
from tfface.errors import InputError

RUNS = Path("runs")
SAMPLE_PEOPLE = 4


class Stopped(Exception):
    """The user stopped the run (Ctrl-C or SIGTERM); its state is saved."""


@dataclasses.dataclass
class Run:
    """A run directory and what its config.json says."""

    path: Path
    model: str
    settings: object  # of the model: its Config
    run: config.RunSettings
    data: Path
    init: dict | None = None  # where its first weights come from, see `finetuning.origin`

    def save(self):
        """Writes config.json."""
        config.write_json(self.path / "config.json", self.to_json())

    def to_json(self):
        """Returns the content of config.json."""
        import keras
        import tensorflow as tf

        import tfface

        return {
            "model": self.model,
            "settings": config.to_json(self.settings),
            "run": config.to_json(self.run),
            "data": {"directory": str(self.data), "digest": data_digest(self.data)},
            "init": self.init,
            "versions": {
                "tfface": tfface.__version__,
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
                "python": platform.python_version(),
            },
        }


def open_run(path):
    """Returns the `Run` of a directory, or of a model that comes with tfface by its name; InputError if it is none."""
    from tfface import models, pretrained

    path = pretrained.find(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such run directory")
    if not (path / "config.json").exists():
        raise InputError(f"{path}: is not a run directory (it has no config.json)")
    saved = config.read_json(path / "config.json")
    try:
        settings = config.build(models.get(saved["model"]).Config, saved["settings"])
        run = config.build(config.RunSettings, saved["run"])
        return Run(path, saved["model"], settings, run, Path(saved["data"]["directory"]), saved.get("init"))
    except KeyError as error:
        raise InputError(f"{path / 'config.json'}: lacks {error}") from None


def load_model(path):
    """Returns the trained model of a run directory, at its newest checkpoint, in float32, ready for `edit`."""
    run = open_run(path)
    with precision("float32"):
        model = build_model(run, jit=False)
    checkpoints.restore(model, run.path / "checkpoints")
    return model


@contextlib.contextmanager
def precision(policy):
    """Builds what is built inside with this Keras dtype policy."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def build_model(run, jit):
    """Returns the compiled, untrained model of a run."""
    from tfface import models

    model = models.get(run.model)(run.settings, seed=run.run.seed)
    model.compile(jit_compile=jit)
    return model


def new_run(name, preset, overrides, run_values, *, data=None, output=None, label=None, init=None, say=tqdm.write):
    """Makes the run directory (and, without `data`, the synthetic data set) of a new run.

    Args:
        name: model name.
        preset: preset name, or None for that of `init` or, without one, laptop.
        overrides: values of the model's settings over the preset.
        run_values: values of `RunSettings`.
        data: data set directory, or None to render one.
        output: run directory, or None for ``runs/MODEL-DATE-TIME[-label]``.
        label: what to append to the directory's name.
        init: directory of a run whose networks this one starts with.
        say: gets the messages.
    """
    from tfface import distribution, finetuning, models
    from tfface.data.index import RecordIndex

    model_class = models.get(name)
    if preset == "finetune" and not init:
        raise InputError("--preset finetune: trains on from other networks; name their run with --init RUN")
    preset = preset or (open_run(init).settings.preset if init else "laptop")
    settings = config.from_preset(model_class.Config, preset, overrides)
    run_settings = resolve(config.build(config.RunSettings, run_values))
    distribution.check_batch(run_settings.strategy, settings)
    if output is None:
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        output = RUNS / "-".join(filter(None, (name, stamp, label)))
    output = Path(output)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(
            f"{output}: is not empty; resume it with --resume --output {output}, or choose another --output"
        )
    init = finetuning.origin(init, name, settings) if init else None
    if data is None:
        data = render_data(settings, model_class.synthetic, run_settings.seed, output.parent, say)
    dataset = open_data(data)
    examples = RecordIndex(dataset, "train", model_class.batch_keys)  # checks the labels before anything is written
    if not settings.steps:
        settings = settings.with_examples(len(examples))
    run = Run(output, name, settings, run_settings, Path(data).resolve(), init)
    output.mkdir(parents=True, exist_ok=True)
    run.save()
    return run


def resumed_run(name, preset, overrides, run_values, *, data=None, output=None):
    """Returns the run to go on with: `output`, or the newest run of the model. Changed settings are refused by name."""
    from tfface import pretrained

    run = open_run(output if output else newest_run(name))
    if pretrained.ships(run.path):
        raise InputError(f"--output {output}: comes with tfface; train on from it with --init {output}")
    if run.model != name:
        raise InputError(f"{run.path}: is a run of {run.model}, not of {name}")
    if preset is not None and preset != run.settings.preset:
        raise InputError(f"{run.path}: was started with --preset {run.settings.preset}; {_KEEP}")
    for key, value in config.check_values(type(run.settings), overrides).items():
        if getattr(run.settings, key) != value:
            raise InputError(f"{run.path}: was started with {key}={getattr(run.settings, key)}, not {value}; {_KEEP}")
    for key in config.FIXED_SETTINGS:
        before = getattr(run.run, key)
        if run_values.get(key, before) not in (before, "auto"):
            raise InputError(f"{run.path}: was started with --{key} {before}, not {run_values[key]}; {_KEEP}")
    free = {key: value for key, value in run_values.items() if key not in config.FIXED_SETTINGS}
    run.run = dataclasses.replace(run.run, **free)
    digest = config.read_json(run.path / "config.json")["data"]["digest"]
    run.data = Path(data).resolve() if data else run.data
    open_data(run.data)
    if data_digest(run.data) != digest:
        raise InputError(f"{run.data}: is not the data set that {run.path} was started with; {_KEEP}")
    return run


_KEEP = "leave it out to resume, or start anew into another --output"


def newest_run(name):
    """Returns the newest run directory of a model under runs/."""
    runs = [path.parent for path in RUNS.glob(f"{name}-*/config.json")]
    if not runs:
        raise InputError(f"--resume: there is no run of {name} under {RUNS}/; name one with --output")
    return max(runs, key=lambda path: (path / "config.json").stat().st_mtime)


def resolve(settings):
    """Returns the run settings with ``auto`` decided for this machine."""
    import tensorflow as tf

    gpu = bool(tf.config.list_physical_devices("GPU"))
    precision, jit = settings.precision, settings.jit
    if precision == "auto":
        precision = "mixed_bfloat16" if gpu or cpu_computes_bfloat16() else "float32"
    if jit == "auto":
        jit = "on" if gpu and settings.strategy == "none" else "off"  # XLA takes no step of several devices
    return dataclasses.replace(settings, precision=precision, jit=jit)


def cpu_computes_bfloat16(cpuinfo=Path("/proc/cpuinfo")):
    """Whether the processor multiplies bfloat16 itself (AVX512-BF16 or AMX); elsewhere it is emulated, and slow."""
    try:
        flags = cpuinfo.read_text().split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def open_data(directory):
    """Returns the data set of a directory."""
    from tfface.data.records import open_dataset

    return open_dataset(directory)


def data_digest(directory):
    """Returns what tells one data set from another: a digest of its dataset.json."""
    return hashlib.sha256((Path(directory) / "dataset.json").read_bytes()).hexdigest()[:16]


def render_data(settings, scenes, seed, root, say):
    """Renders the synthetic data set of a model under `root`, or goes on with it, and returns its directory.

    Args:
        settings: the model's settings.
        scenes: further keyword arguments of `synthesize`; they are part of the directory's name.
        seed: of the people and pictures.
        root: directory of the data sets.
        say: gets the messages.
    """
    from tfface.synthetic.dataset import synthesize
    from tfface.synthetic.render import RENDERER_VERSION

    answers = settings.synthetic_answers
    name = f"synthetic-{settings.image_size}px-{settings.synthetic_count}" + (f"x{answers}" if answers > 1 else "")
    for key, value in sorted(scenes.items()):
        name += f"-{key}-{'_'.join(map(str, value)) if isinstance(value, tuple) else value}"
    directory = root / f"{name}-seed{seed}-renderer{RENDERER_VERSION}"
    say(f"No --data: synthetic heads with exact labels in {directory}")
    synthesize(directory, settings.synthetic_count * answers, settings.image_size, seed, answers=answers, **scenes)
    return directory


def train(run, say=tqdm.write, progress=True):
    """Trains the model of a run from where its newest checkpoint stands to the end and returns it.

    Raises:
        Stopped: Ctrl-C or SIGTERM; the state is saved.
        NonFiniteError: a loss or weight is NaN or infinite; the last good checkpoint is kept.
        LostWorker: another process of the same job is gone (`distribution`).
    """
    import keras
    import tensorflow as tf

    from tfface import callbacks, distribution, memory
    from tfface.data.pipeline import training_batches

    strategy, chief = run.run.strategy, distribution.is_chief(run.run.strategy)
    distribution.check_batch(strategy, run.settings)
    memory.keep_freed()
    keras.utils.set_random_seed(run.run.seed)
    # On a CPU the networks are deterministic without (measured bit for bit), and it would double the time of a step.
    if run.run.deterministic and tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()
    with precision(run.run.precision), distribution.scope(strategy):
        model = build_model(run, jit=run.run.jit == "on")
    step = go_back_to_checkpoint(model, run, say if chief else lambda text: None)
    total = model.total_steps
    dataset = open_data(run.data)
    stopper, stopped = callbacks.StopOnSignal(), False
    with contextlib.ExitStack() as stack:
        if chief:
            steps = writing_callbacks(model, run, dataset, say, progress, stack)
        else:
            steps = [callbacks.StopOnNonFinite(), callbacks.CheckWeights(cadences(run.run, total)["checkpoint"], total)]
        stack.enter_context(stopper)
        while step < total and not stopped:
            phase = model.phase_at(step)
            model.set_phase(phase.name)
            batches = functools.partial(
                training_batches,
                dataset,
                run.settings.examples_per_step,
                image_size=run.settings.image_size,
                seed=run.run.seed,
                first_step=step,
                **model.batch_options(),
            )
            if strategy == "none":
                count = phase.last_step - step
                model.fit(batches(), steps_per_epoch=count, shuffle=False, verbose=0, callbacks=[*steps, stopper])
                stopped = stopper.asked
            else:
                stopped = distribution.fit(strategy, model, batches, phase.last_step, steps, lambda: stopper.asked)
            step = int(model.step.numpy())
    if step < total:
        if chief:
            checkpoints.save(model, run.path / "checkpoints", run.run.keep_checkpoints)
        raise Stopped(f"stopped after step {step} of {total}; everything is saved in {run.path}")
    return model


def writing_callbacks(model, run, dataset, say, progress, stack):
    """Returns what the process that writes the run directory does beside its steps; `stack` closes what is open."""
    from tfface import callbacks
    from tfface.events import EventWriter
    from tfface.samples import Grid, people_for

    total = model.total_steps
    every = cadences(run.run, total)
    people = people_for(model, dataset, SAMPLE_PEOPLE) if model.task else []
    events = stack.enter_context(contextlib.closing(EventWriter(run.path / "logs")))
    bar = callbacks.Progress(callbacks.steps_done(model), total, show=progress)
    stack.callback(bar.close)
    # The order matters: nothing of a broken step is kept, and what a checkpoint stands for is on disk before it.
    return [
        callbacks.StopOnNonFinite(),
        bar,
        callbacks.MetricsLog(run.path, every["log"], total, events),
        callbacks.AttentionWatch(say, patience=max(20, total // 20)),
        *([callbacks.SampleGrid(run.path, Grid(model, people), every["sample"], total, events)] if people else []),
        callbacks.Checkpoint(run.path, every["checkpoint"], run.run.keep_checkpoints, total),
    ]


def cadences(settings, total):
    """Returns the steps between log lines, sample grids and checkpoints; those of 0 follow from the run's `total`."""
    log = settings.log_every or max(1, total // 200)
    # A multiple, so that a resumed run's log lines cover the same steps; a short run would draw longer than it learns.
    share = log * max(total // (20 * log), -(-10 // log))
    return {"log": log, "sample": settings.sample_every or share, "checkpoint": settings.checkpoint_every or share}


def go_back_to_checkpoint(model, run, say):
    """Restores the newest checkpoint, if there is one, cuts the logs back to it, and returns its step.

    Without one the model stays as it was built, or gets the networks of the run it is to start from. Of several
    processes all go back, and once they have, the first one cuts.
    """
    from tfface import distribution, finetuning
    from tfface.callbacks import truncate_metrics

    directory, step = run.path / "checkpoints", 0
    restored = bool(checkpoints.found(directory))
    if restored:
        step = checkpoints.restore(model, directory)
        say(f"Resuming {run.path} after step {step} of {model.total_steps}")
    elif run.init:
        finetuning.inherit(model, run.init)
        say(f"Starting with the networks of {run.init['run']} after its step {run.init['step']}")
    last, first = distribution.agree(run.run.strategy, step)
    if last != first:
        raise InputError(
            f"{directory}: the machines of this job see checkpoints of steps {first} and {last} in it; --output must be"
            " a directory that all of them share"
        )
    if distribution.is_chief(run.run.strategy):
        if run.init and not restored:
            checkpoints.save(model, directory, run.run.keep_checkpoints)
        checkpoints.discard_after(directory, step)
        truncate_metrics(run.path / "metrics.jsonl", step)
    return step
