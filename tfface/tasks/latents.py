"""Latents of an inverse-graphics code by name: pose and light of a face, in units of the latent's spread."""

import dataclasses
import math

import numpy as np

from tfface import config
from tfface.errors import InputError
from tfface.tasks.base import Task

# Name -> half width in degrees of the factor's range in the batches that are trained on (`synthetic.sampler`).
LATENTS = {"view_azimuth": 86.0, "view_elevation": 23.0, "light_azimuth": 80.0}
LIMIT = 3.0  # spreads from the mean: further than almost any face that was trained on


class Latents(Task):
    """``{"view_azimuth": 1.0}``: sets the latent to its mean plus one spread (standard deviation over training data).

    Positive is what `conventions` calls positive: the nose to the image's right, the nose down, lit from the image's
    right. Latents that are not named stay as the encoder infers them.

    What is learned is an order, not a scale, so the true answer is a reading: of factors that are uniform within their
    range, one spread is the range's half width over the root of three. `latent_evaluation` scores what needs no
    reading, the codes of other pictures.
    """

    flag, metavar = "--latent", "NAME=VALUE"
    parts = tuple(LATENTS)
    help = f"one of {', '.join(LATENTS)}, for instance view_azimuth=1 (in spreads, -{LIMIT:g} to {LIMIT:g})"
    example = "view_azimuth=1"
    pasted = None

    def parse(self, texts, model):
        wanted = {}
        for text in texts:
            name, _, value = text.partition("=")
            where = f"{self.flag} {text}"
            if name not in LATENTS:
                raise InputError(f"{where}: unknown latent {name!r}{config.nearest(name, LATENTS)}")
            if name in wanted:
                raise InputError(f"{where}: {name} is given twice; give it once")
            wanted[name] = _spreads(value, where)
        return wanted

    def requests(self, model):
        return [(f"{name.replace('_', ' ')} {side:+g}", {name: side}) for name in LATENTS for side in (-1.0, 1.0)]

    def shown(self, labels):
        return dict(zip(LATENTS, map(float, labels["latents"]), strict=True))

    def inputs(self, model, labels, wanted, keep_others=True):
        return {
            "latents": np.array([wanted.get(name, 0.0) for name in LATENTS], np.float32),
            "asked": np.array([name in wanted or not keep_others for name in LATENTS], np.float32),
        }

    def estimate(self, model, images):
        return [{"latents": latents} for latents in np.asarray(model.estimate_latents(images), np.float32)]

    def answer(self, scene, wanted):
        degrees = {name: _degrees(name, value) for name, value in wanted.items()}
        yaw = degrees.get("view_azimuth", scene.pose.yaw)
        pitch = degrees.get("view_elevation", scene.pose.pitch)
        azimuth = degrees.get("light_azimuth", scene.light.azimuth)
        return dataclasses.replace(
            scene,
            pose=dataclasses.replace(scene.pose, yaw=yaw, pitch=pitch),
            light=dataclasses.replace(scene.light, azimuth=azimuth),
        )

    def scores(self, evaluation):
        """Adds ``code``: what `latent_evaluation.scores` says of the code of a rendered set's people."""
        from tfface import latent_evaluation

        return latent_evaluation.scores(evaluation)

    def sections(self, evaluation, scores):
        from tfface import latent_figures

        return latent_figures.sections(evaluation, scores)


def _degrees(name, spreads):
    half = LATENTS[name]
    return float(np.clip(spreads * half / math.sqrt(3.0), -half, half))


def _spreads(text, where):
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{where}: {text!r} is no number; expected spreads, such as view_azimuth=1") from None
    if not -LIMIT <= value <= LIMIT:
        raise InputError(f"{where}: {value:g} spreads are outside -{LIMIT:g} to {LIMIT:g}, the range of trained faces")
    return value
