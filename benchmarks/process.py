"""What settings of the process save a train step on a CPU: XLA (``--jit``), oneDNN (see `tfface.environment`), memory
(`tfface.memory`).

    python -m benchmarks.process xla attgan --data DIR [--phase NAME] [--rounds 2] [--steps 40] [--set NAME=VALUE ...]

Processes without and with the setting take turns. Processor seconds hardly mind a busy machine; wall time does.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

from tfface import environment

WARM_UP = 5
SETTINGS = ("xla", "onednn", "memory")


def main(arguments=None):
    """Runs the benchmark and prints a Markdown table."""
    from tfface import models

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("setting", choices=SETTINGS)
    parser.add_argument("model", choices=models.names())
    parser.add_argument("--data", required=True, help="data set that the model's laptop preset can train on")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--phase", help="kind of step (default: the model's first)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="settings of the model")
    parser.add_argument("--way", choices=("off", "on"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.way:
        on = options.way == "on"
        kept, jit = options.setting != "memory" or on, options.setting == "xla" and on
        print(json.dumps(measure(options.model, options.data, options.steps, kept, jit, options.phase, options.set)))
        return
    given = sys.argv[1:] if arguments is None else list(arguments)
    print(f"| {options.setting} | wall s | user s | system s | page faults | (all for one step) start, s |")
    print("|---|---|---|---|---|---|")
    for _ in range(options.rounds):
        for way in ("off", "on"):
            command = [sys.executable, "-m", "benchmarks.process", *given, "--way", way]
            onednn = "1" if options.setting == "onednn" and way == "on" else "0"
            surroundings = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": onednn}
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=surroundings).stdout
            wall, user, system, faults, start = json.loads(said.splitlines()[-1])
            print(f"| {way} | {wall:.3f} | {user:.3f} | {system:.3f} | {faults:.0f} | {start:.1f} |", flush=True)


def measure(name, data, steps, kept, jit=False, phase=None, settings=()):
    """Returns wall, user and system seconds and page faults of one step, laptop preset, and the seconds of the first
    steps, in which the step is traced and compiled."""
    environment.prepare()
    from tfface import config, memory, models, training
    from tfface.data.pipeline import training_batches

    if kept:
        memory.keep_freed()
    kind = models.get(name)
    model = kind(config.from_preset(kind.Config, "laptop", config.parse_assignments(settings, kind.Config)))
    model.compile(jit_compile=jit)
    model.set_phase(phase or model.phases()[0].name)
    size, examples = model.config.image_size, model.examples_per_step
    batches = training_batches(
        training.open_data(data), examples, image_size=size, seed=0, first_step=0, **model.batch_options()
    )
    started = time.perf_counter()
    model.fit(batches, steps_per_epoch=WARM_UP, verbose=0)
    start = time.perf_counter() - started
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    model.fit(batches, steps_per_epoch=steps, verbose=0)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    names = ("ru_utime", "ru_stime", "ru_minflt")
    spent = [wall, *(getattr(after, name) - getattr(before, name) for name in names)]
    return [*(each / steps for each in spent), start]


if __name__ == "__main__":
    main()
