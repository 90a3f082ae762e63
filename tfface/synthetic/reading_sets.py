"""What the training sets of nets that read faces (judges, annotator) have in common. No TensorFlow.

Each such set has people, seeds and scenes of its own; here is only how it is rendered, how its people are checked, and
the faces that no expression makes.
"""

import numpy as np
import tqdm

from tfface.data import records
from tfface.errors import InputError
from tfface.synthetic import sampler, worker
from tfface.synthetic.cooccurrence import exclude
from tfface.synthetic.labelled import record_of
from tfface.synthetic.render import RENDERER_VERSION

_TASK, _SHARD = 16, 256


def unlikely_action_units(rng):
    """One to five action units at any intensity (17 numbers, 0-5): each must be known by its own looks, and edits ask
    for what faces do not do by themselves."""
    intensities = np.zeros(17)
    chosen = rng.choice(17, rng.integers(1, 6), replace=False)
    intensities[chosen] = rng.uniform(0, 5, len(chosen))
    exclude(intensities)
    return tuple(intensities.round(4).tolist())


def records_of(scenes, image_size):
    """Returns the records of scenes, without masks."""
    return [{**record_of(scene, image_size), "mask": None} for scene in scenes]


def render(directory, count, seed, module, workers=2, progress=True):
    """Renders a training set into `directory`, or goes on with an interrupted one.

    Args:
        directory: new or empty, or of an interrupted rendering.
        count: pictures.
        seed: of the scenes.
        module: what the set is made of: `PEOPLE`, `MARGIN`, `IMAGE_SIZE`, `SOURCE`, and `render_range` for workers.

    Raises:
        InputError: the directory holds something else.
    """
    writer = records.RecordWriter(
        directory,
        image_size=module.IMAGE_SIZE,
        total=count,
        source=module.SOURCE,
        licence="CC0-1.0 head model and textures; the pictures show no real person",
        seed=seed,
        settings={"renderer": RENDERER_VERSION, "people": module.PEOPLE, "margin": module.MARGIN},
        shard_records=_SHARD,
    )
    bar = tqdm.tqdm(total=count, initial=writer.written, disable=not progress, unit="img", desc="Rendering")
    with writer, bar:
        starts = range(writer.written, count, _TASK)
        tasks = [(start, min(start + _TASK, count), module.IMAGE_SIZE, seed) for start in starts]
        for rendered in worker.ordered_map(tasks, min(workers, len(tasks)), module.__name__) if tasks else ():
            for record in rendered:
                writer.write(record)
            bar.update(len(rendered))
    return records.open_dataset(directory)


def check_people(identities, role):
    """Raises InputError unless every identity belongs to `role` of `sampler.ROLES`."""
    for identity in identities:
        if identity < 0 or sampler.role(int(identity)) != role:
            raise InputError(f"identity {identity}: not one of the people of role {role!r}; render the pictures again")
