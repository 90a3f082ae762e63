"""A served model in place of one in memory, for `tfface.editing.Editor`: ``tfface edit --server``."""

import types

from tfface import tasks
from tfface.errors import InputError
from tfface.serving.client import Client


class RemoteModel:
    """What the editor and the tasks ask of a model, answered by a server.

    Attributes:
        name, run: of the model and of the run it was exported from, as its card has them.
        task, config, synthetic: as of a `tfface.models` model.
        client: `Client`.
    """

    def __init__(self, address, flags=()):
        """
        Args:
            address: see `Client`. Without a model's name it is the one that the request's flag is for.
            flags: flags of the request, such as ``["--au"]``.
        """
        self.client = Client(address, model=_served_as(flags))
        self._card = self.client.card()
        self.name, self.task = self._card["model"], self._card["task"]
        self.run = self._card.get("run", "")
        self.config = types.SimpleNamespace(**self._card["settings"])
        self.synthetic = {"margin": self._card["crop_margin"]}

    def edit(self, inputs):
        """Returns the outputs of ``serving_default``, arrays, for what it takes of `inputs`."""
        return self.client.predict({name: inputs[name] for name in self._card["inputs"]})

    def __getattr__(self, name):
        what = name.removeprefix("estimate_")
        if what == name:
            raise AttributeError(name)
        if "estimate" not in self.client.metadata():
            raise InputError(
                f"{self.client.address}: was exported with --no-estimate, so nobody knows what a face shows now; "
                "export it again without, or edit with --run"
            )
        return lambda image: self.client.estimate(image)[what]


def _served_as(flags):
    """Returns the name of the one model that takes a flag, None if no flag says or several models take it."""
    from tfface import models

    asked = [task for task in tasks.names() if tasks.get(task).flag in flags]
    names = [name for name in models.names() if asked and models.get(name).task == asked[0]]
    return names[0] if len(names) == 1 else None
