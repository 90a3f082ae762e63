"""What keeping freed memory (`tfface.memory`) saves a train step on a CPU: processor time and page faults.

    python -m benchmarks.memory rotator --data DIR [--rounds 2] [--steps 40]

Processes without and with it take turns. Processor seconds count, not wall time, so that a busy machine hardly matters.
"""

import argparse
import json
import os
import resource
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
WARM_UP = 5


def main(arguments=None):
    """Runs the benchmark and prints a Markdown table."""
    from tfface import models

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", choices=models.names())
    parser.add_argument("--data", required=True, help="data set that the model's laptop preset can train on")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--way", choices=("given back", "kept"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.way:
        print(json.dumps(measure(options.model, options.data, options.steps, options.way == "kept")))
        return
    print("| freed memory is | user s | system s | page faults | (all for one step)\n|---|---|---|---|")
    for _ in range(options.rounds):
        for way in ("given back", "kept"):
            words = [options.model, "--data", options.data, "--steps", str(options.steps), "--way", way]
            command = [sys.executable, "-m", "benchmarks.memory", *words]
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            user, system, faults = json.loads(said.splitlines()[-1])
            print(f"| {way} | {user:.3f} | {system:.3f} | {faults:.0f} |", flush=True)


def measure(name, data, steps, kept):
    """Returns user and system seconds and page faults of one step of a model's first phase, laptop preset."""
    from tfface import config, memory, models, training
    from tfface.data.pipeline import training_batches

    if kept:
        memory.keep_freed()
    model = models.get(name)(config.from_preset(models.get(name).Config, "laptop", {}))
    model.compile()
    size, examples = model.config.image_size, model.examples_per_step
    batches = training_batches(
        training.open_data(data), examples, image_size=size, seed=0, first_step=0, **model.batch_options()
    )
    model.fit(batches, steps_per_epoch=WARM_UP, verbose=0)
    before = resource.getrusage(resource.RUSAGE_SELF)
    model.fit(batches, steps_per_epoch=steps, verbose=0)
    after = resource.getrusage(resource.RUSAGE_SELF)
    names = ("ru_utime", "ru_stime", "ru_minflt")
    return [(getattr(after, name) - getattr(before, name)) / steps for name in names]


if __name__ == "__main__":
    main()
