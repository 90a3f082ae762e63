"""``python -m tfface``: train, evaluate, edit, export, info. Light: ``--help`` does not import TensorFlow.

Exit codes: 0 done, 1 training broke down, 2 bad input (one line on stderr says what), 130 stopped by the user.
"""

import argparse
import dataclasses
import os
import shlex
import sys
import warnings

from tfface import __version__, config, edit_command
from tfface.errors import InputError

PROGRAM = "python -m tfface"


def main(arguments=None):
    """Runs one command and returns its exit code."""
    warnings.showwarning = lambda message, *rest: print(f"warning: {message}", file=sys.stderr)
    arguments = build_parser().parse_args(arguments)
    _import_tensorflow()
    try:
        return arguments.command(arguments)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on where it stopped.", file=sys.stderr)
        return 130


def _import_tensorflow():
    """Imports it without its start-up lines about missing GPUs, which frighten people; errors still show."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


class _Parser(argparse.ArgumentParser):
    """argparse, but a message is one line and an unknown flag names the nearest one."""

    def error(self, message):
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")

    def parse_args(self, arguments=None, namespace=None):
        parsed, unknown = self.parse_known_args(arguments, namespace)
        if unknown:
            known = [flag for action in parsed.parser._actions for flag in action.option_strings]
            parsed.parser.error(f"unknown argument {unknown[0]!r}{config.nearest(unknown[0].split('=')[0], known)}")
        return parsed


def build_parser():
    """Returns the parser of all commands."""
    parser = _Parser(prog=PROGRAM, description="Controllable face editing: train, score, use and export models.")
    parser.add_argument("--version", action="version", version=f"tfface {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)

    def command(name, function, help):
        sub = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
        sub.set_defaults(command=function, parser=sub)
        return sub

    sub = command("train", train, "train a model; without --data on synthetic heads rendered first")
    sub.add_argument("model", metavar="MODEL", help="ganimation")
    sub.add_argument("--preset", default=None, help="smoke (minutes), laptop (the default) or paper")
    sub.add_argument("--data", metavar="DIR", help="data set made by a data_tools command")
    sub.add_argument("--output", metavar="RUN", help="run directory (default: runs/MODEL-DATE-TIME)")
    sub.add_argument("--name", help="appended to the name of the default run directory")
    sub.add_argument(
        "--resume", action="store_true", help="go on with --output RUN, or with the newest run of the model"
    )
    sub.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help=f"a setting of the model ({PROGRAM} info MODEL)"
    )
    config.add_flags(sub, config.RunSettings)

    sub = command("evaluate", evaluate, "score a run on held-out people and write its report")
    sub.add_argument("run", metavar="RUN")
    sub.add_argument("--data", metavar="DIR", help="another data set than the run's")
    sub.add_argument("--output", metavar="DIR", help="where metrics.json and report.html go (default: the run)")
    sub.add_argument("--limit", type=int, metavar="N", help="most people to use (default: 64)")

    sub = command("edit", edit_command.run_edit, "edit the faces of photographs with a trained run")
    edit_command.add_arguments(sub)

    sub = command("export", export, "write a run's generator as a SavedModel for TensorFlow Serving")
    sub.add_argument("run", metavar="RUN")
    sub.add_argument("-o", "--output", metavar="DIR", help="folder of all versions (default: RUN/export/MODEL)")

    sub = command("info", info, "versions and devices, or the settings and presets of a model")
    sub.add_argument("model", nargs="?", metavar="MODEL")
    return parser


def train(arguments):
    """Trains, scores and exports, and says where everything is."""
    from tfface import checkpoints, models, training

    overrides = config.parse_assignments(arguments.set, models.get(arguments.model).Config)
    run_values = config.flag_values(arguments, config.RunSettings)
    where = {"data": arguments.data, "output": arguments.output}
    if arguments.resume:
        run = training.resumed_run(arguments.model, arguments.preset, overrides, run_values, **where)
    else:
        preset = arguments.preset or "laptop"
        run = training.new_run(arguments.model, preset, overrides, run_values, label=arguments.name, **where)
    print(f"Training {run.model} ({run.settings.preset}) in {run.path}; Ctrl-C stops and saves", flush=True)
    try:
        training.train(run)
        finish(run)
    except (training.Stopped, KeyboardInterrupt) as stopped:
        print(f"\n{stopped or 'interrupted'}", file=sys.stderr)
        print(
            f"Go on with: {PROGRAM} train {run.model} --resume --output {shlex.quote(str(run.path))}", file=sys.stderr
        )
        return 130
    except checkpoints.NonFiniteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def finish(run):
    """Scores and exports a finished run and prints what there is and what comes next."""
    from tfface import evaluation
    from tfface.export import export_run

    try:
        scores = evaluation.evaluate(run.path)
    except InputError as error:  # a small data set may hold nobody out; the run is finished all the same
        scores = None
        print(f"Not scored: {error}", file=sys.stderr)
    exported = export_run(run.path, export_directory(run))
    grids = sorted((run.path / "samples").glob("*.png"))
    print(f"\nSamples     {grids[-1] if grids else 'none'}")
    print(f"Report      {run.path / 'report.html' if scores else 'none'}")
    print(f"SavedModel  {exported.directory}")
    if scores and scores["edit"]:
        edit_, copy = scores["edit"], scores["copy"]
        print(f"PSNR        {edit_['psnr']:.2f} dB to the true pictures; of the unedited ones {copy['psnr']:.2f} dB")
        print(f"SSIM        {edit_['ssim']:.4f}; of the unedited ones {copy['ssim']:.4f}")
    print(f"Next        {PROGRAM} edit photo.jpg --run {shlex.quote(str(run.path))} --au AU12=0.8 -o smile.jpg")


def evaluate(arguments):
    """Scores a run."""
    from tfface import evaluation

    limit = evaluation.PEOPLE if arguments.limit is None else arguments.limit
    if limit < 1:
        raise InputError(f"--limit {limit}: expected 1 or more people")
    scores = evaluation.evaluate(arguments.run, data=arguments.data, output=arguments.output, limit=limit)
    for kind in ("edit", "copy"):
        values = scores[kind]
        print(
            f"{kind}: PSNR {values['psnr']:.2f} dB, SSIM {values['ssim']:.4f}" if values else f"{kind}: no true picture"
        )
    return 0


def export(arguments):
    """Exports a run."""
    from tfface import training
    from tfface.export import export_run

    output = arguments.output or export_directory(training.open_run(arguments.run))
    exported = export_run(arguments.run, output)
    print(f"{exported.directory}: {exported.size / 1e6:.1f} MB, off the model in memory by {exported.max_error:.1e}")
    return 0


def export_directory(run):
    """Returns where a `training.Run` is exported to: the folder's name is the name it is served under."""
    return run.path / "export" / run.model


def info(arguments):
    """Prints versions, devices and folders, or a model's settings."""
    from tfface import models
    from tfface.info import report

    if arguments.model:
        print_settings(models.get(arguments.model).Config)
        return 0
    for what, value in report():
        print(f"{what:<24} {value}")
    print(f"{'models':<24} {', '.join(models.names())} ({PROGRAM} info MODEL lists a model's settings)")
    return 0


def print_settings(cls):
    """Prints every setting of a model: type, help, default and what the presets say."""
    kinds = config.field_types(cls)
    for field in dataclasses.fields(cls):
        if field.name == "preset":
            continue
        presets = [f"{name} {values[field.name]}" for name, values in cls.PRESETS.items() if field.name in values]
        default = f"{field.default:.4g}" if isinstance(field.default, float) else field.default
        said = ", ".join([f"default {default}", *presets])
        print(f"{field.name:<22} {config.type_name(kinds[field.name]):<6} {field.metadata.get('help', '')} ({said})")
