"""Records to batches: decoded, resized, augmented, in the units that models take.

Batch number k of training depends on the seed and k alone: the order is a new permutation of the records in each epoch,
a pure function of (seed, epoch), and every random number of an example is drawn statelessly from (seed, number of the
example since the start). A run that starts at step k therefore sees the batches that an uninterrupted run would see,
and neither the number of threads nor the prefetching changes anything.
"""

import functools
import logging

import numpy as np
import tensorflow as tf

from tfface import conventions
from tfface.data import index, records

log = logging.getLogger(__name__)

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


def _factor_batch(seed, step, batches, ratio):
    """Returns (factor, places) of training batch `step`, drawn from the (K, L) places of each factor's batches.

    Without a ratio each batch comes once in an epoch. With one, each round of ``sum(ratio)`` steps has so many batches
    of each factor, in an order of its own, and each factor goes through its batches by itself.
    """
    if ratio is None:
        ends = np.cumsum([len(places) for places in batches])
        number = _order(seed, 0, np.array([step]), int(ends[-1]))[0]
        factor = int(np.searchsorted(ends, number, "right"))
        return factor, batches[factor][number - ends[factor]]  # counted from the factor's last one
    ratio = np.where([len(places) > 0 for places in batches], ratio, 0)
    turn, place = divmod(step, int(ratio.sum()))
    turns = np.repeat(np.arange(len(ratio)), ratio)[_permutation(seed, turn, 3, int(ratio.sum()))]
    factor = int(turns[place])
    count = turn * ratio[factor] + np.count_nonzero(turns[:place] == factor)
    return factor, batches[factor][_order(seed, 4 + factor, np.array([count]), len(batches[factor]))[0]]


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
    pairs=None,
    groups=None,
    ratio=None,
    flip=True,
    shift=0,
    share=(0, 1),
    parts=1,
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
        answers: where the data set has several pictures of each scene (synthetic sets made with ``--answers``), the
            partner is another one of the same scene, without noise, and its picture is given too: the true answer to
            the edit, if the partner keys name all that its ``--vary`` changes. Other data sets have none and are given
            as without it.
        pairs: "frontal": the partner is a frontal view of the same person, expression and light, its picture is given
            too, and records that have none are left out. These are known of synthetic sets made with ``--views``, of
            records whose views carry numbers (`records.split_view`) and, as far as pictures of one identity differ in
            nothing else, of photos. Frontal records are examples as well: their partner is frontal too.
        groups: each batch is one of a synthetic set's batches of so many records in which one factor varies
            (``--factor``), all mirrored and moved alike; `batch_size` must be the same number.
        ratio: with `groups`, how many batches of each of `sampler.FACTORS` are drawn in one round through their sum,
            for instance (1, 1, 1, 10); None takes every batch once in an epoch.
        flip: mirror half of the images, with their pose, light, landmarks and masks.
        shift: largest shift in pixels of the batch's images, either way along x and y; 0 for none.
        share: (number, count): give only this one of `count` equal shares of each batch, for one of several processes;
            nothing else is read. Together they give what one process would.
        parts: give the share as so many equal batches, one after the other, for the replicas of this process.

    Returns:
        Batches as dicts; B = batch_size (of a share's part: the examples in it), S = image_size:
            image (B, S, S, 3) float32 -1 to 1; mask, occluder (B, S, S, 1) float32 0-1;
            action_units (B, 17) float32 0-1; attributes (B, 40) float32 0/1, 0.5 = unknown;
            pose (B, 3), light (B, 2) float32 degrees; landmarks (B, 68, 2) float32 pixels of the batch's image;
            landmarks_visible (B, 68) int64 1/0/-1; identity (B,) int64; embedding (B, 128), confidence (B,) float32;
            target_KEY: the same of the partner; target_image with `answers` and `pairs`, mirrored and shifted as
            image is, with all other labels of the partner;
            factor (B,) int64 with `groups`: the place in `sampler.FACTORS` of what varies in the batch;
            index (B,) int64: number of the example since the start, first_step * B at first.

    Raises:
        InputError: no record of the split has all keys (and a frontal view, or a place in a whole batch), or a file is
            damaged.
        ValueError: a key that is not in the schema, or a text; arguments that do not go together.
    """
    number, count = share
    size = batch_size // (count * parts)
    if size * count * parts != batch_size:
        raise ValueError(f"a batch of {batch_size} cannot be given in {count} shares of {parts} parts")
    mine = slice(number * size * parts, (number + 1) * size * parts)
    if texts := set(keys) & set(records.TEXTS) | set(partners) & set(records.TEXTS):
        raise ValueError(f"{', '.join(sorted(texts))}: texts are given by evaluation_batches only")
    if (answers and (pairs or groups)) or (groups and (pairs or partners)) or pairs not in (None, "frontal"):
        raise ValueError(
            f"answers {answers}, pairs {pairs!r}, groups {groups} and partners {partners}: do not go together"
        )
    if groups not in (None, batch_size):
        raise ValueError(f"a batch of {batch_size} cannot be one of {groups} records in which one factor varies")
    shift = int(shift)
    chosen = index.RecordIndex(dataset, split, tuple(dict.fromkeys((*keys, *partners))), frontal=pairs == "frontal")
    stored = dataset.image_size

    siblings = chosen.answers if answers and partners else None
    if answers and partners and siblings is None and dataset.info["settings"].get("answers", 1) > 1:
        log.warning(
            "%s: with fewer than %d people the pictures of a scene are in both splits: no answers are given",
            dataset.directory, records.MIN_PEOPLE,
        )  # fmt: skip
    same_scene = siblings is not None or bool(pairs)
    if same_scene:
        partners, partner_noise = tuple(dict.fromkeys((*partners, "image"))), 0.0
    factor_batches = chosen.factor_batches(groups) if groups else None
    if siblings is not None and (vary := dataset.info["settings"].get("vary", "action_units")) not in partners:
        log.warning(
            "%s: pictures of one scene differ in %s, which is not asked for: they are no true answers",
            dataset.directory, vary,
        )  # fmt: skip

    def partner_places(places, counters):
        epochs = counters // len(chosen)
        if siblings is not None:  # in turn, epoch by epoch
            return siblings[places, epochs % siblings.shape[1]]
        if pairs:  # in turn likewise
            first, count, views = chosen.frontal
            return views[first[places] + epochs % count[places]]
        return _order(seed, 1, counters, len(chosen))

    def fetch(step):
        counters = int(step) * batch_size + np.arange(batch_size, dtype=np.int64)
        draws = _draws(seed, counters)
        factor = np.full(batch_size, conventions.UNKNOWN, np.int64)
        if groups:
            factor[:], places = _factor_batch(seed, int(step), factor_batches, ratio)
            draws[:] = draws[0]  # mirroring some would let a second factor vary
        else:
            places = _order(seed, 0, counters, len(chosen))
        own = chosen.read(places[mine])
        other = chosen.read(partner_places(places, counters)[mine]) if partners else own
        return own, other, counters[mine], draws[mine], factor[mine]

    def fetched(step):
        raw = tf.numpy_function(fetch, [step], (tf.string, tf.string, tf.int64, tf.float32, tf.int64))
        own, other, counters, draws, factor = (
            tf.ensure_shape(value, (size * parts, _DRAWS) if value.dtype == tf.float32 else (size * parts,))
            for value in raw
        )
        values = {**_parse(own, keys, image_size / stored), "index": counters}
        if groups:
            values["factor"] = factor
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
        if same_scene:  # whatever happens to the image happens to its answer
            target = augmented(target, draws)
        return {**values, **{f"target_{key}": value for key, value in target.items()}}

    steps = tf.data.Dataset.range(first_step, np.iinfo(np.int64).max).map(fetched)
    examples = steps.unbatch().map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return examples.batch(size, drop_remainder=True).map(_scale).prefetch(2 * parts)


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
