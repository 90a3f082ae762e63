"""tfface's speed on this machine: training iterations against PyTorch and the GEMM peak, edits, data, growth.

    python -m benchmarks.run [--quick] [--models ganimation attgan] [--batch 4 16] [--parts ...] [-o DIR]

Writes DIR/results.json, after each measurement, and DIR/results.md. Whatever is compared takes turns, so that a machine
that slows down slows all sides. Nothing else should run meanwhile.
"""

import argparse
import datetime
import json
import shlex
import sys
from pathlib import Path

from tfface import environment

environment.prepare()

from benchmarks.speed import feeding, growth, iterations, latency, machine, tables  # noqa: E402
from tfface.errors import InputError, exit_code  # noqa: E402

PARTS = ("iterations", "latency", "feeding", "growth")


def main(arguments=None):
    """Runs the benchmark; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="tiny networks, one round: shows that it works")
    parser.add_argument("--models", nargs="+", choices=iterations.MODELS, default=iterations.MODELS)
    parser.add_argument("--batch", nargs="+", type=int, default=[4], help="pictures in an update (default: 4)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what is measured (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side that count (default: 5)")
    parser.add_argument("--critics", type=int, default=1, help="discriminator updates in an iteration (default: 1)")
    parser.add_argument("--jit", action="store_true", help="tfface's step compiled with XLA")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/benchmarks"), metavar="DIR")
    options = parser.parse_args([str(each) for each in given])
    command = shlex.join(["python", "-m", "benchmarks.run", *map(str, given)])
    return exit_code(lambda: measure(options, command), "Stopped; what was measured is in results.json.")


def measure(options, command):
    """Measures what was asked for and writes it down; raises InputError for a wrong value or a missing package."""
    for name, value in {"rounds": options.rounds, "critics": options.critics, "batch": min(options.batch)}.items():
        if value < 1:
            raise InputError(f"--{name} {value}: expected 1 or more")
    if "iterations" in options.parts or "latency" in options.parts:
        iterations.check_installed("torch")
    if "latency" in options.parts:
        iterations.check_installed("tf2onnx", "onnxruntime")
    options.output.mkdir(parents=True, exist_ok=True)
    results = {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "quick": options.quick,
        "machine": machine.describe(),
    }
    for part in (part for part in PARTS if part in options.parts):
        for measured in globals()[f"_{part}"](options):
            results.setdefault(part, []).append(measured)
            _write(results, options.output)
    print((options.output / "results.md").read_text())


def _write(results, output):
    texts = {"results.json": json.dumps(results, indent=2) + "\n", "results.md": tables.document(results)}
    for name, text in texts.items():
        partial = output / f".{name}"
        partial.write_text(text, encoding="utf-8")
        partial.replace(output / name)


def _iterations(options):
    can_mix = {"avx512_bf16", "amx_bf16"} & set(machine.describe()["flags"])
    rounds = 1 if options.quick else options.rounds
    for model in options.models:
        for batch in options.batch:
            for precision in ("float32", "bfloat16"):
                if precision == "bfloat16" and not can_mix:
                    skipped = "not on this machine: neither avx512_bf16 nor amx_bf16"
                    yield {"model": model, "batch": batch, "precision": precision, "skipped": skipped}
                    continue
                measured = iterations.measure(
                    model, batch, quick=options.quick, rounds=rounds, critics=options.critics, precision=precision,
                    jit=options.jit,
                )  # fmt: skip
                yield {**measured, "summary": tables.summarize(measured)}


def _latency(options):
    for model in options.models:
        yield from latency.measure(model, quick=options.quick)


def _feeding(options):
    return feeding.measure(quick=options.quick)


def _growth(options):
    return growth.measure(options.models, quick=options.quick)


if __name__ == "__main__":
    sys.exit(main())
