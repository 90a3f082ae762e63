"""Makes a model that comes with tfface (`tfface.pretrained`) of a finished run: ``scripts/pack_pretrained.py``.

The checkpoint stays a Keras weights file that `tfface.checkpoints` reads, a tenth of its size: half floats, each
averaged network once for itself and for the one it follows, and no room for optimizers.
"""

import shlex
import shutil
from pathlib import Path

import numpy as np

from tfface import checkpoints, config, model_card, models, pretrained, training
from tfface.errors import InputError

_AVERAGE = "ema_"  # what the name of an averaged network starts with; the rest is the one it follows


def pack(run, folder=pretrained.FOLDER):
    """Writes the newest checkpoint of a run as ``folder/MODEL``, replacing what is there, and returns that directory.

    Args:
        run: run directory of a finished, evaluated run; its data set must still be there for the card.
        folder: the directory of all of them.

    Raises:
        InputError: no run, no checkpoint, or a weight too large for a half float.
    """
    opened = training.open_run(run)
    source = checkpoints.newest(opened.path / "checkpoints")
    model = models.get(opened.model)(opened.settings, seed=opened.run.seed)
    card = {**model_card.of_run(opened), "trained_with": command(opened), **model_card.of_model(model)}
    card["step"] = int(checkpoints.NAME.fullmatch(source.name)[1])
    target = Path(folder) / opened.model
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    (part / "checkpoints").mkdir(parents=True)
    try:
        weights = part / checkpoints.PART
        _halve(source, weights)
        weights.rename(part / "checkpoints" / checkpoints.name_of(card["step"], weights))
        values = opened.to_json()
        values |= {"data": {**values["data"], "directory": opened.data.name}, "init": None}
        config.write_json(part / "config.json", values)
        config.write_json(part / model_card.NAME, card)
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def command(run):
    """Returns the command line that trains a `training.Run` from synthetic data, as one would type it."""
    preset = config.from_preset(type(run.settings), run.settings.preset, {})
    said = ["bash", "train.sh", run.model, "--preset", run.settings.preset, "--seed", str(run.run.seed)]
    for name, value in vars(run.settings).items():
        if value != getattr(preset, name):
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            said += ["--set", f"{name}={text}"]
    return shlex.join(said)


def _halve(source, target):
    """Writes a checkpoint file anew in half floats."""
    import h5py

    with h5py.File(source) as old, h5py.File(target, "w") as new:
        for name in old:
            if _AVERAGE + name in old:
                continue
            _copy(old[name], new.create_group(name), empty="optimizer" in name)
        for name in [name for name in new if name.startswith(_AVERAGE)]:
            new[name.removeprefix(_AVERAGE)] = new[name]  # a link: stored once


def _copy(old, new, empty):
    import h5py

    new.attrs.update(old.attrs)
    for name, item in old.items():
        if isinstance(item, h5py.Group):
            _copy(item, new.create_group(name), empty)
        elif empty:
            new.create_dataset(name, item.shape, item.dtype)  # never written: reads as zeros, takes no room
        elif item.dtype == np.float32:
            with np.errstate(over="ignore"):
                values = item[()].astype(np.float16)
            if not np.isfinite(values).all():
                raise InputError(f"{old.file.filename}: {item.name} does not fit into half floats")
            packed = {"compression": "gzip", "compression_opts": 9, "shuffle": True} if values.ndim else {}
            new.create_dataset(name, data=values, **packed)
        else:
            new.create_dataset(name, data=item[()])
