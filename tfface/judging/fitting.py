"""Trains the nets of the judges on the pictures of `scenes`, seen through `views`. Batch k follows from seed and k."""

import concurrent.futures
import itertools
import pathlib

import keras
import numpy as np
import tensorflow as tf
import tqdm

from tfface import judges
from tfface.judging import scenes, views

BATCH = 32
CHECKPOINT_EVERY = 500  # steps
_HELD_OUT = 20  # one person of so many only calibrates
_AHEAD = 6  # batches prepared before they are needed
_LEARNING_RATE, _WARM_UP, _DECAY = 2e-3, 300, 1e-4
# Of mean squared or cross-entropy losses, each about 1 for a net that knows nothing.
_WEIGHTS = {"action_units": 1.0, "pose": 1.0, "attributes": 0.3, "landmarks": 0.3, "maps": 0.3}
_LANDMARK_UNIT = 0.06  # of half the view's width: what people differ in once the pose is known


class Pictures:
    """The rendered set in memory: `images` (N, P, P, 3) uint8 and `labels`, dict of arrays; `training` and `held_out`
    are places of pictures, of different people."""

    def __init__(self, dataset, progress=True):
        size, count = dataset.image_size, len(dataset)
        self.images = np.empty((count, size, size, 3), np.uint8)
        kept = {name: [] for name in ("action_units", "pose", "attributes", "landmarks", "identity")}
        bar = tqdm.tqdm(dataset, total=count, disable=not progress, unit="img", desc="Reading")
        for place, record in enumerate(bar):
            self.images[place] = record["image"]
            for name, values in kept.items():
                values.append(record[name])
        self.labels = {name: np.array(values) for name, values in kept.items()}
        scenes.check_people(self.labels["identity"])
        _, person = np.unique(self.labels["identity"], return_inverse=True)
        aside = person % _HELD_OUT == 0
        self.training, self.held_out = np.flatnonzero(~aside), np.flatnonzero(aside)

    def example(self, name, place, rng, exact=None):
        """Returns an example of a net: what it sees and the labels."""
        labels = {key: values[place] for key, values in self.labels.items()}
        return views.EXAMPLES[name](self.images[place], labels, rng, exact)


def fit(name, pictures, steps, directory, seed=scenes.SEED, progress=True):
    """Trains one net, or goes on with its training.

    Args:
        name: one of `judges.NETWORKS`.
        pictures: `Pictures`.
        steps: of `BATCH` examples.
        directory: of checkpoints.

    Returns:
        the trained net.
    """
    keras.utils.set_random_seed(seed % 2**31)
    net = judges.NETWORKS[name]()
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(steps - _WARM_UP, 1), warmup_target=_LEARNING_RATE, warmup_steps=min(_WARM_UP, steps // 4)
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=_DECAY, global_clipnorm=5.0)
    optimizer.build(net.trainable_variables)
    done = tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(net=net, optimizer=optimizer, done=done)
    manager = tf.train.CheckpointManager(checkpoint, pathlib.Path(directory) / f"{name}-{steps}", max_to_keep=1)
    checkpoint.restore(manager.latest_checkpoint).expect_partial()
    deviation = pictures.labels["action_units"][pictures.training].std(0).clip(0.1).astype(np.float32)

    @tf.function
    def step(batch):
        with tf.GradientTape() as tape:
            losses = _losses(net(tf.cast(batch["picture"], tf.float32), training=True), batch, deviation)
            total = tf.add_n([_WEIGHTS[key] * value for key, value in losses.items()])
        optimizer.apply_gradients(zip(tape.gradient(total, net.trainable_variables), net.trainable_variables))
        return losses

    first = int(done.numpy())
    bar = tqdm.tqdm(total=steps, initial=first, disable=not progress, unit="step", desc=f"Training {name}")
    means = {}
    with bar:
        for number, batch in enumerate(_batches(name, pictures, first, steps, seed), start=first + 1):
            for key, value in step(batch).items():
                means[key] = means.get(key, float(value)) * 0.98 + float(value) * 0.02
            done.assign_add(1)
            bar.update()
            if number % 20 == 0:
                bar.set_postfix({key: f"{value:.3f}" for key, value in means.items()})
            if number % CHECKPOINT_EVERY == 0 or number == steps:
                manager.save()
    return net


def _losses(found, batch, deviation):
    """Means over the batch, each about 1 before anything is learnt."""
    losses = {}
    if "action_units" in batch:
        # What a turned face hides cannot be learnt from it: it counts less, down to a fifth.
        shown = tf.clip_by_value(1.25 - tf.abs(batch["pose"][:, :1]) * (judges.POSE_UNIT / 60), 0.2, 1.0)
        losses["action_units"] = tf.reduce_mean(
            shown * ((found["action_units"] - batch["action_units"]) / deviation) ** 2
        )
        # Far wrong ones, mostly faces that the dark hides, stop pulling.
        losses["pose"] = tf.reduce_mean(tf.minimum(_huber((found["pose"] - batch["pose"]) * 2.0), 4.0))
        losses["landmarks"] = tf.reduce_mean(_huber((found["landmarks"] - batch["landmarks"]) / _LANDMARK_UNIT))
        losses["maps"] = _map_loss(found["maps"], batch["landmarks"])
    known = tf.cast(batch["attributes"] >= 0, tf.float32)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(tf.maximum(batch["attributes"], 0.0), found["attributes"])
    losses["attributes"] = tf.reduce_sum(entropy * known) / tf.reduce_sum(known) / np.log(2).astype(np.float32)
    return losses


def _map_loss(logits, landmarks):
    """Mean Kullback-Leibler divergence of (B, 68, G * G) maps from those whose centres are (B, 136) landmarks: each
    shared among the four nearest cells. Learns places far faster than an error in the centres."""
    side = round(logits.shape[-1] ** 0.5)
    at = tf.clip_by_value((tf.reshape(landmarks, (-1, logits.shape[1], 2, 1)) + 1) * (side / 2) - 0.5, 0.0, side - 1.0)
    shares = tf.nn.relu(1 - tf.abs(at - tf.range(side, dtype=tf.float32)))
    shares = tf.reshape(shares[:, :, 1, :, None] * shares[:, :, 0, None, :], tf.shape(logits))
    entropy = -tf.reduce_sum(shares * tf.math.log(tf.maximum(shares, 1e-9)), -1)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(shares, logits) - entropy)


def _huber(x):
    size = tf.abs(x)
    return tf.where(size < 1, x * x, 2 * size - 1)


def _batches(name, pictures, first, steps, seed):
    """Yields batches `first` to `steps` - 1: each epoch is a new order of all pictures."""
    count = len(pictures.training)

    def batch(step):
        rng = np.random.default_rng([seed, step, len(name)])
        numbers = step * BATCH + np.arange(BATCH)
        orders = {e: np.random.default_rng([seed, e]).permutation(count) for e in np.unique(numbers // count)}
        places = [pictures.training[orders[n // count][n % count]] for n in numbers]
        return stack([pictures.example(name, place, rng) for place in places])

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        steps = iter(range(first, steps))
        waiting = [pool.submit(batch, step) for step in itertools.islice(steps, _AHEAD)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(batch, step) for step in itertools.islice(steps, 1)]


def stack(examples):
    """Returns a batch of examples: pictures as uint8, labels as float32."""
    batch = {key: np.stack([example[key] for example in examples]) for key in examples[0]}
    return {key: value if key == "picture" else value.astype(np.float32) for key, value in batch.items()}


def calibrate(net, pictures):
    """Returns (2, 17) gains and offsets that give the intensities of held-out pictures their true mean and spread.

    A net that minimises squared errors says too little of what it sees badly; agreement (ICC) asks for the truth's
    spread. Half of the pictures are seen at 64 pixels, half at 128.
    """
    found, truth = [], []
    for start in range(0, len(pictures.held_out), BATCH):
        places = pictures.held_out[start : start + BATCH]
        batch = stack([pictures.example("face", p, None, (64 << k % 2, 1.0)) for k, p in enumerate(places)])
        found.append(judges.see(net, batch["picture"])["action_units"].numpy())
        truth.append(batch["action_units"])
    found, truth = np.concatenate(found), np.concatenate(truth)
    gain = np.clip(truth.std(0) / np.maximum(found.std(0), 1e-3), 0.8, 2.0)
    return np.stack([gain, truth.mean(0) - gain * found.mean(0)])
