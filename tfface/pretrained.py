"""The trained models that come with tfface, so that photos can be edited right after installing.

Each is a run directory under ``assets/pretrained``, named after its model: every command that takes a RUN takes that
name too. What is stored is what editing and training on (``--init``) need: half floats, an averaged network once for
itself and for the one it follows, optimizers as if they had never moved. `tfface.packing` makes them from finished
runs; ``model_card.json`` says with which command each was trained and how it scores.
"""

from pathlib import Path

FOLDER = Path(__file__).parent / "assets" / "pretrained"


def names():
    """Returns the names of the models that come with tfface, sorted."""
    return sorted(path.parent.name for path in FOLDER.glob("*/config.json"))


def find(run):
    """Returns the directory that a RUN of the command line means: a path, or the name of a model of `names`.

    A directory of that name in the working directory comes first.
    """
    path = Path(run)
    return FOLDER / path.name if not path.exists() and str(run) in names() else path


def ships(path):
    """Whether a run directory is one of those that come with tfface, in which nothing may be written."""
    return Path(path).resolve().parent == FOLDER.resolve()


def of_task(task):
    """Returns the name of the model that does a kind of edit (a name of `tfface.tasks`), None if none comes along."""
    from tfface import models

    return next((name for name in names() if models.get(name).task == task), None)
