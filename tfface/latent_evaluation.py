"""Scores of an inverse-graphics code on people whom no model trains on: what its latents hold, and what they do.

Pictures are rendered for it: `Pool` has people under poses and lights that are all drawn independently. Estimates of
what a re-rendered picture shows come from `Judge`, a regression from pixels that is fitted to true pictures of other
people and knows nothing of the model.
"""

import dataclasses

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfface import disentanglement, metrics
from tfface.people import resized
from tfface.synthetic import sampler
from tfface.synthetic.dataset import SOURCE
from tfface.synthetic.render import render
from tfface.tasks.latents import LATENTS

PEOPLE, PICTURES = 150, 8  # of the pool, for each person
RECORDS_PER_PERSON = 80  # of the data set that was trained on: a small one is scored on fewer people
NEW_VIEW = 28.65  # degrees (0.5 rad) that a novel view is away from the picture, at least
_BATCH = 64


@dataclasses.dataclass
class Pool:
    """Pictures of people, `PICTURES` in a row of each.

    Attributes:
        scenes: list of `Scene`.
        images: (N, S, S, 3) uint8, grey if the model is.
        factors: (N, 3) degrees of yaw, pitch and light azimuth, in the order of `LATENTS`.
        person: (N,) number of the person.
    """

    scenes: list
    images: np.ndarray
    factors: np.ndarray
    person: np.ndarray


def draw_pool(settings, seed, people, pictures, size, weights, progress=True):
    """Returns the `Pool` of so many people: each picture has pose, light and background of a draw of its own.

    Args:
        settings: `sampler.Settings` of a factor's batches; the people are those for evaluation.
        seed: another one, other people.
        people, pictures: how many, and of each.
        size: of the pictures in pixels.
        weights: of red, green and blue in grey, or None for colour.
        progress: whether to show a progress bar.
    """
    settings = dataclasses.replace(settings, people="evaluation")
    scenes = []
    for number in range(people * pictures):
        scene = sampler.sample_scene(seed, number * sampler.FACTOR_BATCH, settings)
        same = scenes[number - number % pictures] if number % pictures else scene
        scenes.append(dataclasses.replace(scene, identity=same.identity, attributes=same.attributes))
    images = [
        picture_of(scene, size, weights) for scene in tqdm(scenes, "render people", unit="img", disable=not progress)
    ]
    return Pool(scenes, np.stack(images), factors_of(scenes), np.arange(len(scenes)) // pictures)


def picture_of(scene, size, weights):
    """Returns (size, size, 3) uint8 of a scene, in grey if there are weights."""
    image = render(scene, size).image
    if weights is None:
        return image
    return np.repeat(np.rint(image @ np.asarray(weights)).astype(np.uint8)[..., None], 3, -1)


def factors_of(scenes):
    """Returns (N, 3) degrees of scenes, in the order of `LATENTS`."""
    return np.array([(s.pose.yaw, s.pose.pitch, s.light.azimuth) for s in scenes])


def with_factor(scene, place, degrees):
    """Returns the scene with the factor of a place in `LATENTS` at so many degrees."""
    if place == 2:
        return dataclasses.replace(scene, light=dataclasses.replace(scene.light, azimuth=float(degrees)))
    name = ("yaw", "pitch")[place]
    return dataclasses.replace(scene, pose=dataclasses.replace(scene.pose, **{name: float(degrees)}))


# -- model -------------------------------------------------------------------------------------------------------------


def encode(model, images):
    """Returns (N, L) codes of uint8 pictures."""
    parts = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    return np.concatenate([model.encode(part.astype(np.float32) / 127.5 - 1).numpy() for part in parts])


def decode(model, codes):
    """Returns (N, S, S, 3) uint8 pictures of codes."""
    parts = [codes[start : start + _BATCH] for start in range(0, len(codes), _BATCH)]
    pictures = np.concatenate([model.decode(tf.constant(part, tf.float32)).numpy() for part in parts])
    return np.rint((pictures + 1) * 127.5).clip(0, 255).astype(np.uint8)


def mean_squared_error(a, b):
    """Mean squared difference of uint8 pictures, as numbers from 0 to 1."""
    return float(np.mean((np.asarray(a, np.float64) - np.asarray(b, np.float64)) ** 2) / 255.0**2)


# -- scores ------------------------------------------------------------------------------------------------------------


def scores(evaluation, progress=True):
    """Returns ``{"code": {...}}`` for metrics.json.

    * `reconstruction_mse` of held-out people in 0-1, and that of their mean picture;
    * MIG and its kin, see `disentanglement.all_scores`; `spearman` of each named latent, azimuth by halves;
    * `intervention`, `novel_view`, `recognition`, see the functions of these names;
    * `inferred`: factor and latent of each picture, for plots;
    * for photos with known light instead: `light`, see `light_correlation`.
    """
    model, dataset = evaluation.model, evaluation.dataset
    if dataset.info["source"] != SOURCE:
        return {"code": {"light": light_correlation(model, dataset)}}
    made = {name: value for name, value in dataset.info["settings"].items() if name != "renderer"}
    settings = sampler.Settings(**made) if made.get("factor") else sampler.Settings(**model.synthetic)
    people = int(np.clip(dataset.count // RECORDS_PER_PERSON, 8, PEOPLE))
    seed = dataset.info["seed"] + 1
    pool = draw_pool(settings, seed, people, PICTURES, model.config.image_size, model.grey, progress)
    return {"code": code_scores(model, pool)}


def code_scores(model, pool):
    """Returns what `scores` does for a rendered set, from a `Pool`."""
    codes, named = encode(model, pool.images), np.array(model.places())
    latents = model.read(tf.constant(codes)).numpy()
    monotone = [disentanglement.spearman(latents[:, place], pool.factors[:, place]) for place in range(len(LATENTS))]
    return {
        "people": int(pool.person[-1]) + 1,
        "pictures": len(pool.images),
        "reconstruction_mse": mean_squared_error(decode(model, codes), pool.images),
        "mean_picture_mse": mean_squared_error(pool.images.mean(0), pool.images),
        **disentanglement.all_scores(codes, pool.factors, named),
        "spearman": dict(zip(LATENTS, monotone, strict=True)),
        "azimuth_halves": disentanglement.half_spearman(latents[:, 0], pool.factors[:, 0]),
        "intervention": intervention(model, pool, codes),
        "novel_view": novel_view(model, pool, codes),
        "recognition": recognition(pool, codes, named),
        "inferred": {
            name: np.round([pool.factors[:, place], latents[:, place]], 3).tolist()
            for place, name in enumerate(LATENTS)
        },
    }


class Judge:
    """Estimates yaw, pitch and light azimuth of pictures by kernel regression on their pixels."""

    side = 16

    def __init__(self, images, factors):
        """`images` (N, S, S, 3) uint8 with the true `factors` (N, 3) in degrees."""
        self._seen = self._features(images)
        distance = self._distance(self._seen, self._seen)
        self._width = np.median(distance)
        self._mean = factors.mean(0)
        kernel = np.exp(-distance / self._width) + 0.01 * np.eye(len(distance))
        self._weights = np.linalg.solve(kernel, factors - self._mean)

    def __call__(self, images):
        """Returns (M, 3) degrees."""
        distance = self._distance(self._features(images), self._seen)
        return np.exp(-distance / self._width) @ self._weights + self._mean

    def _features(self, images):
        grey = tf.image.resize(np.asarray(images, np.float32).mean(-1, keepdims=True), (self.side, self.side), "area")
        flat = np.asarray(grey, np.float64).reshape(len(images), -1)
        return (flat - flat.mean(1, keepdims=True)) / (flat.std(1, keepdims=True) + 1e-3)  # however bright

    @staticmethod
    def _distance(a, b):
        return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0.0)


def intervention(model, pool, codes):
    """Sets one named latent to that of another person's picture, renders again, and has a `Judge` look.

    Returns:
        dict of `score` (mean over the named latents of `moved` less `disturbed`), and by latent `moved`: share of the
        asked change of its factor that is seen (a slope, 0 to 1 or above), `disturbed`: how far the other factors
        move, in standard deviations of theirs; `judge`: R^2 of the judge on true pictures of the people it looks at.
    """
    half = pool.person % 2 == 0
    judge = Judge(pool.images[half], pool.factors[half])
    codes, factors, images = codes[~half], pool.factors[~half], pool.images[~half]
    named, spread = np.array(model.places()), pool.factors.std(0)
    partner = (np.arange(len(codes)) + PICTURES + 1) % len(codes)  # somebody else
    before = judge(decode(model, codes))
    result = {"judge": (1 - ((judge(images) - factors) ** 2).mean(0) / factors.var(0)).tolist()}
    for place, name in enumerate(LATENTS):
        changed = codes.copy()
        changed[:, named[place]] = codes[partner, named[place]]
        seen = judge(decode(model, changed)) - before
        asked = factors[partner, place] - factors[:, place]
        others = [np.sqrt((seen[:, k] ** 2).mean()) / spread[k] for k in range(len(LATENTS)) if k != place]
        result[name] = {"moved": float(seen[:, place] @ asked / (asked @ asked)), "disturbed": float(np.mean(others))}
    result["score"] = float(np.mean([result[name]["moved"] - result[name]["disturbed"] for name in LATENTS]))
    return result


def novel_view(model, pool, codes):
    """Gives a picture the azimuth latent of a picture that is at least `NEW_VIEW` away, and compares with the truth.

    Returns:
        dict of mean squared errors to the true new view: `same_person` (the latent comes from that view itself),
        `another` (from the picture of somebody else that has the closest azimuth), `copy` (the picture as it was),
        `unchanged` (decoded without a change) and `mean_picture` (of all pictures), both of which are blurred and so
        already beat a sharp copy, and `reconstruction` (the new view encoded and decoded, what the code can do at
        best); and how many `pictures`.
    """
    place, size = int(np.array(model.places())[0]), pool.images.shape[1]
    sources, scenes = [], []
    for person in range(pool.person[-1] + 1):
        own = np.flatnonzero(pool.person == person)
        far = own[np.abs(pool.factors[own, 0] - pool.factors[own[0], 0]) >= NEW_VIEW]
        if len(far):
            sources.append(own[0])
            scenes.append(with_factor(pool.scenes[own[0]], 0, pool.factors[far[0], 0]))
    truth = np.stack([picture_of(scene, size, model.grey) for scene in scenes])
    true_codes, errors = encode(model, truth), {}
    away = np.abs(factors_of(scenes)[:, :1] - pool.factors[None, :, 0])
    away[pool.person[None] == pool.person[sources][:, None]] = np.inf
    for name, values in (("same_person", true_codes[:, place]), ("another", codes[away.argmin(1), place])):
        changed = codes[sources].copy()
        changed[:, place] = values
        errors[name] = mean_squared_error(decode(model, changed), truth)
    errors["unchanged"] = mean_squared_error(decode(model, codes[sources]), truth)
    errors["mean_picture"] = mean_squared_error(pool.images.mean(0), truth)
    errors["copy"] = mean_squared_error(pool.images[sources], truth)
    errors["reconstruction"] = mean_squared_error(decode(model, true_codes), truth)
    return {"pictures": len(truth), **errors}


def recognition(pool, codes, named):
    """Recognises people across pose and light: each one's first picture is known, the others are to be named.

    Returns:
        dict of rank-1 rates: `shape_code` (nearest latents but the named ones, each in units of its spread), `code`
        (all latents), `pixels` (nearest picture) and `chance`.
    """
    scaled = (codes - codes.mean(0)) / np.maximum(codes.std(0), 0.05)  # latents that hold nothing stay small
    features = {
        "shape_code": np.delete(scaled, named, 1),
        "code": scaled,
        "pixels": pool.images[..., 0].reshape(len(codes), -1) / 255.0,
    }
    known = np.r_[True, pool.person[1:] != pool.person[:-1]]
    rates = {
        name: metrics.rank1(value[~known], pool.person[~known], value[known], pool.person[known])
        for name, value in features.items()
    }
    return {**rates, "chance": 1.0 / int(known.sum())}


# -- photos ------------------------------------------------------------------------------------------------------------


def light_correlation(model, dataset):
    """Rank correlation of inferred and true light azimuth, for each person of a set of photos with known light.

    Returns:
        dict of `trained` (lights within the azimuths of training alone) and `all`: identity -> Spearman's coefficient,
        and their `mean`.
    """
    found = [r for r in dataset.records() if np.isfinite(r["light"]).all()]
    if not found:
        return {}
    images = np.stack([resized(record["image"], model.config.image_size) for record in found])
    latent = model.read(tf.constant(encode(model, images))).numpy()[:, 2]
    azimuth = np.array([record["light"][0] for record in found])
    identity = np.array([record["identity"] for record in found])
    result = {}
    for name, chosen in (
        ("trained", np.abs(azimuth) <= LATENTS["light_azimuth"]),
        ("all", np.ones(len(azimuth), bool)),
    ):
        by_person = {
            str(person): disentanglement.spearman(*(v[chosen & (identity == person)] for v in (latent, azimuth)))
            for person in np.unique(identity)
        }
        result[name] = {**by_person, "mean": float(np.mean(list(by_person.values())))}
    return result
