"""``python -m tfface``: train, evaluate, edit, export, serve, demo, info. Light: ``--help`` does not import TensorFlow.

Exit codes: 0 done, 1 training broke down, 2 bad input (one line on stderr says what), 130 stopped by the user, 138 lost
another process of the same training job.
"""

import argparse
import dataclasses
import os
import shlex
import sys
import warnings

from tfface import __version__, config, edit_command, environment, models, tasks
from tfface.errors import InputError, LostWorker

PROGRAM = "python -m tfface"
LOST_WORKER = 138  # what Kubeflow's restart policy ExitCode takes as the program's own "start me again"


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
    except LostWorker as error:
        print(f"error: {error}", file=sys.stderr)
        return LOST_WORKER
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on where it stopped.", file=sys.stderr)
        return 130


def _import_tensorflow():
    """Imports it without its start-up lines; errors still show."""
    environment.prepare()
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
    sub.add_argument("model", metavar="MODEL", help=f"one of {', '.join(models.names())}")
    sub.add_argument(
        "--preset", default=None, help=f"smoke (minutes), laptop (the default), paper, ... ({PROGRAM} info MODEL)"
    )
    sub.add_argument("--data", metavar="DIR", help="data set made by a data_tools command")
    sub.add_argument("-o", "--output", metavar="RUN", help="run directory (default: runs/MODEL-DATE-TIME)")
    sub.add_argument("--name", help="appended to the name of the default run directory")
    sub.add_argument(
        "--resume", action="store_true", help="go on with --output RUN, or with the newest run of the model"
    )
    sub.add_argument("--init", metavar="RUN", help="start with the networks of this run, to train on with other data")
    sub.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help=f"a setting of the model ({PROGRAM} info MODEL)"
    )
    config.add_flags(sub, config.RunSettings)

    sub = command("evaluate", evaluate, "score a run on held-out people and write its report")
    sub.add_argument("run", metavar="RUN")
    sub.add_argument("--data", metavar="DIR", help="another data set than the run's")
    sub.add_argument("-o", "--output", metavar="DIR", help="where metrics.json and report.html go (default: the run)")
    sub.add_argument("--limit", type=int, metavar="N", help="how many people (default: 200, fewer for small data)")

    sub = command("edit", edit_command.run_edit, "edit the faces of photographs with a trained run")
    edit_command.add_arguments(sub)

    sub = command("export", export, "write a run's generator as a SavedModel for TensorFlow Serving, as ONNX or LiteRT")
    sub.add_argument("runs", nargs="+", metavar="RUN", help="run directory; several need -o and get a models.config")
    sub.add_argument(
        "-o", "--output", metavar="DIR",
        help="folder of all versions (default: RUN/export/MODEL); for several runs the one above, with DIR/MODEL each",
    )  # fmt: skip
    sub.add_argument("--format", choices=("savedmodel", "onnx", "litert"), default="savedmodel")
    sub.add_argument(
        "--no-estimate", action="store_true", help="leave out what tells clients what a face shows now (smaller)"
    )

    sub = command("serve", serve, "serve exports on this machine: a stand-in for TensorFlow Serving's REST and gRPC")
    sub.add_argument("export", metavar="EXPORT", help="folder of one model's versions, or of several such folders")
    sub.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    sub.add_argument("--port", type=int, default=8501, help="REST (default: 8501; 0 takes a free one)")
    sub.add_argument("--grpc-port", type=int, default=8500, help="gRPC (default: 8500; 0 takes a free one)")
    sub.add_argument("--max-request-mb", type=float, default=32, metavar="MB", help="largest request (default: 32)")
    sub.add_argument("--timeout", type=float, default=60, metavar="SECONDS", help="for one request (default: 60)")
    sub.add_argument(
        "--batch", type=int, default=16, help="examples of concurrent requests computed together (default: 16)"
    )

    sub = command("demo", demo, "a page to try trained runs on, in the browser of this machine")
    sub.add_argument(
        "runs", nargs="*", metavar="RUN",
        help="run directories, a tab for each (default: the models that come with tfface)",
    )  # fmt: skip
    sub.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    sub.add_argument("--port", type=int, default=7860, help="default: 7860; 0 takes a free one from there on")

    sub = command("info", info, "versions and devices, or the settings and presets of a model")
    sub.add_argument("model", nargs="?", metavar="MODEL")
    return parser


def train(arguments):
    """Trains, scores and exports, and says where everything is."""
    from tfface import checkpoints, distribution, training

    overrides = config.parse_assignments(arguments.set, models.get(arguments.model).Config)
    run_values = config.flag_values(arguments, config.RunSettings)
    asked = arguments.model, arguments.preset, overrides, run_values
    where = {"data": arguments.data, "output": arguments.output}
    if arguments.resume and arguments.init:
        raise InputError("--init: is for a new run; a resumed one has its weights already, leave it out")
    strategy = run_values.get("strategy", "none")
    if strategy == "multiworker" and not arguments.output:
        raise InputError("--strategy multiworker: needs --output, a directory that all machines share")

    def start():
        return training.new_run(*asked, **where, label=arguments.name, init=arguments.init)

    def resume():
        return training.resumed_run(*asked, **where)

    run = distribution.first_on_chief(strategy, resume if arguments.resume else start, resume)
    replicas = distribution.open_strategy(run.run.strategy).num_replicas_in_sync
    where_to = f"{run.path}, on {replicas} replicas" if replicas > 1 else run.path
    print(f"Training {run.model} ({run.settings.preset}) in {where_to}; Ctrl-C stops and saves", flush=True)
    try:
        training.train(run)
        if distribution.is_chief(run.run.strategy):
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
    from tfface import evaluation, scoring
    from tfface.export import export_run

    model = models.get(run.model)
    try:
        scores = evaluation.evaluate(run.path)
    except InputError as error:  # a small data set may hold nobody out; the run is finished all the same
        scores = None
        print(f"Not scored: {error}", file=sys.stderr)
    grids = sorted((run.path / "samples").glob("*.png"))
    print(f"\nSamples     {grids[-1] if grids else 'none'}")
    print(f"Report      {run.path / 'report.html' if scores else 'none'}")
    if hasattr(model, "editor"):
        print(f"SavedModel  {export_run(run.path, export_directory(run)).directory}")
    for line in scoring.summary(scores) if scores else ():
        print(line)
    if model.task:
        task = tasks.get(model.task)
        asked = f"{task.flag} {task.example}".strip()
        print(f"Next        {PROGRAM} edit photo.jpg --run {shlex.quote(str(run.path))} {asked} -o edited.jpg")


def evaluate(arguments):
    """Scores a run."""
    from tfface import evaluation, scoring

    if arguments.limit is not None and arguments.limit < 1:
        raise InputError(f"--limit {arguments.limit}: expected 1 or more people")
    scores = evaluation.evaluate(arguments.run, data=arguments.data, output=arguments.output, limit=arguments.limit)
    for line in scoring.summary(scores):
        print(line)
    return 0


def export(arguments):
    """Exports one run or several."""
    from tfface import training
    from tfface.export import export_run, export_runs

    options = {"kind": arguments.format, "estimate": not arguments.no_estimate}
    if len(arguments.runs) == 1:
        output = arguments.output or export_directory(training.open_run(arguments.runs[0]), arguments.format)
        exported = [export_run(arguments.runs[0], output, **options)]
    elif arguments.output is None:
        raise InputError("--output: several runs need a folder for all of them, such as -o export")
    else:
        exported = export_runs(arguments.runs, arguments.output, **options)
    reference = "the model in memory" if arguments.format == "savedmodel" else "the SavedModel on crops of a real face"
    for each in exported:
        print(f"{each.directory}: {each.size / 1e6:.1f} MB, off {reference} by at most {each.max_error:.1e}")
    return 0


def export_directory(run, kind="savedmodel"):
    """Returns where a `training.Run` is exported to: the folder's name is the name it is served under."""
    from tfface import pretrained

    if pretrained.ships(run.path):
        raise InputError(f"{run.path.name}: comes with tfface; say with -o where its export goes")
    return run.path / "export" / (run.model if kind == "savedmodel" else f"{run.model}-{kind}")


def serve(arguments):
    """Serves exports until it is stopped."""
    import asyncio

    from tfface.serving.server import serve as run

    for name in ("max_request_mb", "timeout", "batch"):
        if not getattr(arguments, name) > 0:
            raise InputError(f"--{name.replace('_', '-')} {getattr(arguments, name):g}: expected more than 0")
    served = run(
        arguments.export,
        host=arguments.host,
        port=arguments.port,
        grpc_port=arguments.grpc_port,
        largest_body=int(arguments.max_request_mb * 2**20),
        timeout=arguments.timeout,
        batch=arguments.batch,
        say=lambda text: print(text, flush=True),
    )
    asyncio.run(served)
    return 0


def demo(arguments):
    """Shows the page until it is stopped."""
    try:
        from tfface.demo import page
    except ImportError as error:
        raise InputError(f"demo: needs the {error.name} package; pip install 'tfface[demo]'") from None
    page.serve(arguments.runs, arguments.host, arguments.port, say=lambda text: print(text, flush=True))
    return 0


def info(arguments):
    """Prints versions, devices and folders, or a model's settings."""
    from tfface.info import report

    if arguments.model:
        print_settings(models.get(arguments.model).Config)
        return 0
    for what, value in report():
        print(f"{what:<24} {value}")
    print(f"{'models':<24} {', '.join(models.names())} ({PROGRAM} info MODEL lists a model's settings)")
    return 0


def print_settings(cls):
    """Prints a model's presets and every setting: type, help, default and what the presets say."""
    kinds = config.field_types(cls)
    print(f"{'presets':<22} {', '.join(cls.PRESETS)}")
    for field in dataclasses.fields(cls):
        if field.name == "preset":
            continue
        presets = {name: values[field.name] for name, values in cls.PRESETS.items() if field.name in values}
        said = ", ".join(f"{name} {_value(value)}" for name, value in {"default": field.default, **presets}.items())
        print(f"{field.name:<22} {config.type_name(kinds[field.name]):<12} {field.metadata.get('help', '')} ({said})")


def _value(value):
    """A setting's value the way ``--set`` takes it."""
    if isinstance(value, tuple):
        return ",".join(map(_value, value)) or "empty"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
