"""Records to batches: decoded, resized, augmented, in the units that models take.

Batch number k of training depends on the seed and k alone: the order is a new permutation of the records in each epoch,
a pure function of (seed, epoch), and every random number of an example is drawn statelessly from (seed, number of the
example since the start). A run that starts at step k therefore sees the batches that an uninterrupted run would see,
and neither the number of threads nor the prefetching changes anything.
"""

import functools

import numpy as np
import tensorflow as tf

from tfface import conventions
from tfface.data import index, records

PICTURES = ("image", *records.MASKS)
_DRAWS = 3 + len(conventions.ACTION_UNITS)  # mirror, shift x, shift y, noise
_BLOCK = 4096  # examples whose random numbers are drawn together
_FLIP_SIGN = {"pose": (-1.0, 1.0, -1.0), "light": (-1.0, 1.0)}


@functools.lru_cache(maxsize=8)
def _permutation(seed, epoch, stream, count):
    return np.random.default_rng([seed, epoch, stream]).permutation(count)


def _order(seed, stream, counters, count):
    """Returns the record for each example counter: each record once in an epoch, another order in each epoch."""
    epochs, places = np.divmod(counters, count)
    out = np.empty(len(counters), np.int64)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        out[here] = _permutation(seed, int(epoch), stream, count)[places[here]]
    return out


@functools.lru_cache(maxsize=4)
def _block(seed, number):
    return np.random.default_rng([seed, number, 2]).random((_BLOCK, _DRAWS), np.float32)


def _draws(seed, counters):
    """Returns (B, _DRAWS) float32 uniform numbers, a row for each example counter."""
    return np.stack([_block(seed, int(counter) // _BLOCK)[counter % _BLOCK] for counter in counters])


def _parse(data, keys, scale):
    """Returns the values of (B,) encoded records: pictures still encoded, labels as models take them."""
    out = {}
    for key, value in tf.io.parse_example(data, index.features(keys)).items():
        if key == "action_units":
            value = value / conventions.MAX_INTENSITY
        elif key == "attributes":
            value = tf.where(value == conventions.UNKNOWN, 0.5, tf.cast(value, tf.float32))
        elif key == "landmarks":
            value = value * scale
        out[key] = value
    return out


def _decode(values, stored, size):
    """Returns the values of one record with pictures (size, size, C), 0-255, decoded."""
    out = dict(values)
    for key, value in values.items():
        if key in PICTURES:
            channels = 3 if key == "image" else 1
            pixels = tf.io.decode_image(value, channels=channels, expand_animations=False)
            pixels = tf.ensure_shape(pixels, (stored, stored, channels))
            if size != stored:  # area averages what a smaller pixel covers; enlarging needs interpolation
                pixels = tf.image.resize(pixels, (size, size), method="area" if size < stored else "bilinear")
            out[key] = pixels
    return out


def _mirror(values, size):
    """Returns the values of the mirrored picture."""
    out = dict(values)
    permutation = conventions.LANDMARK_MIRROR
    for key, value in values.items():
        if key in PICTURES:
            out[key] = tf.reverse(value, [1])  # far cheaper than a slice with a negative step
        elif key in _FLIP_SIGN:
            out[key] = value * _FLIP_SIGN[key]
        elif key == "landmarks":
            value = tf.gather(value, permutation)
            out[key] = tf.stack([size - value[:, 0], value[:, 1]], 1)
        elif key == "landmarks_visible":
            out[key] = tf.gather(value, permutation)
    return out


def _moved(values, x, y, reach, size):
    """Returns the values of the picture moved by whole pixels, x right and y down, mirrored in at the border."""
    out = dict(values)
    for key, value in values.items():
        if key in PICTURES:
            value = tf.pad(value, ((reach, reach), (reach, reach), (0, 0)), "REFLECT")
            out[key] = tf.ensure_shape(value[reach - y :, reach - x :][:size, :size], (size, size, value.shape[-1]))
        elif key == "landmarks":
            out[key] = value + tf.cast(tf.stack([x, y]), tf.float32)
    return out


def _scale(batch):
    """Returns the batch with its pictures in the range that models take."""
    out = dict(batch)
    for key, value in batch.items():
        name = key.removeprefix("target_")
        if name in PICTURES:
            value = tf.cast(value, tf.float32)
            out[key] = value / 127.5 - 1.0 if name == "image" else value / 255.0
    return out


def training_batches(
    dataset,
    batch_size,
    *,
    image_size,
    seed,
    first_step=0,
    split="train",
    keys=("image", "action_units"),
    partners=("action_units",),
    partner_noise=0.1,
    answers=False,
    flip=True,
    shift=0,
):
    """Returns an endless `tf.data.Dataset` of training batches, beginning with batch number `first_step`.

    A partner is another record of the split, in a random order of its own; its labels are what an image is edited to.
    Every record is the partner once in an epoch.

    Args:
        dataset: `records.Dataset`.
        batch_size: examples per batch.
        image_size: side of the images in the batches; other than the data set's, images are resized.
        seed: not negative; another seed, another order and other augmentation.
        first_step: number of the first batch.
        split: "train", "test" or None for both.
        keys: record keys to give; texts are for evaluation only.
        partners: keys of the partner to give, as "target_" + key.
        partner_noise: half width of the uniform noise on partner action units (0-1, clamped after), as the official
            GANimation adds it; 0 for none.
        answers: where the data set has pictures of each scene that differ in action units alone (synthetic sets made
            with ``--answers``), the partner is one of those, without noise, and its picture is given too: the true
            answer to the edit. Other data sets have none and are given as without it.
        flip: mirror half of the images, with their pose, light, landmarks and masks.
        shift: largest shift in pixels of the batch's images, either way along x and y; 0 for none.

    Returns:
        Batches as dicts; B = batch_size, S = image_size:
            image (B, S, S, 3) float32 -1 to 1; mask, occluder (B, S, S, 1) float32 0-1;
            action_units (B, 17) float32 0-1; attributes (B, 40) float32 0/1, 0.5 = unknown;
            pose (B, 3), light (B, 2) float32 degrees; landmarks (B, 68, 2) float32 pixels of the batch's image;
            landmarks_visible (B, 68) int64 1/0/-1; identity (B,) int64; embedding (B, 128), confidence (B,) float32;
            target_KEY: the same of the partner; target_image with `answers`, mirrored and shifted as image is;
            index (B,) int64: number of the example since the start, first_step * B at first.

    Raises:
        InputError: no record of the split has all keys, or a file is damaged.
        ValueError: a key that is not in the schema, or a text.
    """
    if texts := set(keys) & set(records.TEXTS) | set(partners) & set(records.TEXTS):
        raise ValueError(f"{', '.join(sorted(texts))}: texts are given by evaluation_batches only")
    shift = int(shift)
    chosen = index.RecordIndex(dataset, split, tuple(dict.fromkeys((*keys, *partners))))
    stored = dataset.image_size

    siblings = chosen.answers if answers and partners else None
    if siblings is not None:
        partners, partner_noise = tuple(dict.fromkeys((*partners, "image"))), 0.0

    def fetch(step):
        counters = int(step) * batch_size + np.arange(batch_size, dtype=np.int64)
        places = _order(seed, 0, counters, len(chosen))
        own = chosen.read(places)
        if siblings is not None:  # in turn, epoch by epoch
            partner_places = siblings[places, counters // len(chosen) % siblings.shape[1]]
        else:
            partner_places = _order(seed, 1, counters, len(chosen))
        return own, chosen.read(partner_places) if partners else own, counters, _draws(seed, counters)

    def fetched(step):
        raw = tf.numpy_function(fetch, [step], (tf.string, tf.string, tf.int64, tf.float32))
        shapes = (batch_size,), (batch_size,), (batch_size,), (batch_size, _DRAWS)
        own, other, counters, draws = (tf.ensure_shape(*pair) for pair in zip(raw, shapes, strict=True))
        values = {**_parse(own, keys, image_size / stored), "index": counters}
        target = _parse(other, partners, image_size / stored) if partners else {}
        if partner_noise and "action_units" in target:  # intensities only: attributes are yes or no
            noise = partner_noise * (2.0 * draws[:, 3:] - 1.0)
            target["action_units"] = tf.clip_by_value(target["action_units"] + noise, 0.0, 1.0)
        return values, target, draws

    def augmented(values, draws):
        if shift:
            x, y = tf.unstack(tf.cast(tf.floor(draws[1:3] * (2 * shift + 1)), tf.int32) - shift)
            values = _moved(values, x, y, shift, image_size)
        if flip:
            values = tf.cond(draws[0] < 0.5, lambda: _mirror(values, image_size), lambda: dict(values))
        return values

    def example(values, target, draws):
        values = augmented(_decode(values, stored, image_size), draws)
        target = _decode(target, stored, image_size)
        if siblings is not None:  # an answer is the same scene: whatever happens to the image happens to it
            target = augmented(target, draws)
        return {**values, **{f"target_{key}": value for key, value in target.items()}}

    steps = tf.data.Dataset.range(first_step, np.iinfo(np.int64).max).map(fetched)
    examples = steps.unbatch().map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return examples.batch(batch_size, drop_remainder=True).map(_scale).prefetch(2)


def evaluation_batches(
    dataset, batch_size, *, image_size=None, keys=("image", "action_units"), split="test", limit=None
):
    """Returns a `tf.data.Dataset` of the records of a split once, in order, with nothing random.

    Args:
        dataset: `records.Dataset`.
        batch_size: examples per batch; the last batch has the rest.
        image_size: side of the images; None keeps the data set's.
        keys: record keys to give, texts too ((B,) tf.string).
        split: "train", "test" or None for both.
        limit: give the first so many only.

    Returns:
        Batches as in `training_batches`, where `index` is the record's place in the data set.

    Raises:
        InputError: no record of the split has all keys, or a file is damaged.
    """
    required = [key for key in keys if key not in records.TEXTS]
    chosen = index.RecordIndex(dataset, split, required)
    count = len(chosen) if limit is None else min(limit, len(chosen))

    stored, size = dataset.image_size, image_size or dataset.image_size

    def fetched(places):
        data = tf.ensure_shape(tf.numpy_function(chosen.read, [places], tf.string), (None,))
        return {**_parse(data, keys, size / stored), "index": tf.gather(chosen.numbers, places)}

    places = tf.data.Dataset.range(count).batch(batch_size).map(fetched)
    decode = functools.partial(_decode, stored=stored, size=size)
    examples = places.unbatch().map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return examples.batch(batch_size).map(_scale).prefetch(2)


def evaluation_records(dataset, *, keys=("image", "action_units"), split="test", limit=None):
    """Yields the whole records (see `records`) that `evaluation_batches` gives, in its order, with scene and source."""
    required = [key for key in keys if key not in records.TEXTS]
    chosen = index.RecordIndex(dataset, split, required)
    for place in range(len(chosen) if limit is None else min(limit, len(chosen))):
        yield records.decode_record(chosen.read([place])[0])
