"""Attributes: glasses, beards, hair and the like by CelebA's names, 0 (no) to 1 (yes)."""

import dataclasses
import math

import numpy as np

from tfface import attribute_rules, config, metrics, scoring
from tfface.conventions import ATTRIBUTES
from tfface.errors import InputError
from tfface.tasks.base import Task

LOWEST, HIGHEST = -0.5, 1.5  # beyond no and yes: the published intensities of -2 and 2
STRIP = np.linspace(LOWEST, HIGHEST, 9)


class Attributes(Task):
    """``{"Eyeglasses": 1}``: attributes that are not named stay as the face shows them, as far as the rules let them.

    0 is no and 1 is yes; 0.5 is halfway, and -0.5 to 1.5 exaggerates. What a request excludes goes, and what leaves a
    gap is replaced (`attribute_rules`): the same on the model's inputs as on the true answer.
    """

    labels = ("attributes",)
    flag, metavar = "--attribute", "NAME=VALUE"
    parts = ATTRIBUTES
    help = f"for instance Eyeglasses=1 (0 no, 1 yes; {LOWEST:g} to {HIGHEST:g} exaggerates); may be repeated"
    example = "Eyeglasses=1"
    pasted = "crop"  # hair is outside of the face's oval

    def parse(self, texts, model):
        known = {name.lower(): name for name in model.config.attributes}
        wanted = {}
        for text in texts:
            name, _, value = text.partition("=")
            where = f"{self.flag} {text}"
            if name.lower() not in known:
                raise InputError(f"{where}: the model knows no {name!r}{config.nearest(name, known.values())}")
            name = known[name.lower()]
            if name in wanted:
                raise InputError(f"{where}: {name} is given twice; give it once")
            wanted[name] = _number(value, where)
        if conflict := attribute_rules.conflict(wanted):
            raise InputError(f"{self.flag}: {conflict}; ask for one of them")
        return wanted

    def requests(self, model):
        def opposite(name):
            return lambda labels: {name: int(labels["attributes"][ATTRIBUTES.index(name)] <= 0.5)}

        return [(name, opposite(name)) for name in model.config.attributes]

    def shown(self, labels):
        values = map(float, labels["attributes"])
        return {name: value for name, value in zip(ATTRIBUTES, values, strict=True) if value != 0.5}

    def inputs(self, model, labels, wanted, keep_others=True):
        now = np.asarray(labels["attributes"], np.float32) if keep_others else np.full(len(ATTRIBUTES), 0.5, np.float32)
        places = [ATTRIBUTES.index(name) for name in model.config.attributes]
        inputs = {"attributes": np.clip(_asked(now, wanted)[places], LOWEST, HIGHEST)}
        if model.config.relative:
            inputs["source_attributes"] = np.asarray(labels["attributes"], np.float32)[places]
        return inputs

    def estimate(self, model, images):
        names, result = model.config.attributes, []
        for probabilities in np.asarray(model.estimate_attributes(images), np.float32):
            settled = attribute_rules.settled(dict(zip(names, probabilities.tolist(), strict=True)))
            result.append({"attributes": np.array([settled.get(name, 0.5) for name in ATTRIBUTES], np.float32)})
        return result

    def answer(self, scene, wanted):
        from tfface.synthetic import attributes, labels

        shown = dict(attributes.complete(scene.identity, scene.attributes))
        asked = attribute_rules.edited(shown, {name: value for name, value in wanted.items() if name in shown})
        if asked != shown:
            yes = tuple(sorted((name, int(value > 0.5)) for name, value in asked.items()))
            scene = dataclasses.replace(scene, attributes=yes)
        for name in labels.DERIVED:
            if name in wanted:
                scene = labels.with_attribute(scene, name, int(wanted[name] > 0.5))
        return scene

    def asked(self, labels, wanted):
        return {**labels, "attributes": _asked(np.asarray(labels["attributes"], np.float32), wanted)}

    def scores(self, evaluation):
        """Adds the protocol of the AttGAN and STGAN papers: one attribute at a time is asked to be the other way round.

        * ``editing_accuracy``: for each attribute, the share of edits of it that a classifier judges as asked;
        * ``preservation_error``: for each attribute, the share of all others that it judges wrong after edits of it,
          against what the request and its rules leave;
        * ``preservation_error_published``: the same against what the face showed before, so that what the rules change
          counts as an error too;
        * ``reconstruction``: PSNR and the papers' SSIM (windows of 7 pixels) of faces asked for nothing.
        """
        names = evaluation.model.config.attributes
        result = {
            kind: _protocol([c for c in evaluation.cases if kind in c.judged], kind, names) for kind in scoring.KINDS
        }
        found = {kind: scores for kind, scores in result.items() if scores}
        return {**found, "reconstruction": _reconstruction(evaluation)}

    def sections(self, evaluation, scores):
        from tfface import page, samples

        kinds = [kind for kind in scoring.KINDS if scores.get(kind) and "editing_accuracy" in scores[kind]]
        parts = []
        for key, title in (("editing_accuracy", "Editing accuracy"), ("preservation_error", "Preservation error")):
            rows = [
                [name, *(scores[kind][key][name] for kind in kinds)]
                for name in (*evaluation.model.config.attributes, "mean")
            ]
            parts.append((title, page.table(["", *kinds], rows)))
        made = scores["reconstruction"]
        text = f"A face asked for nothing: PSNR {made['psnr']:.2f} dB, SSIM {made['ssim']:.4f} (windows of 7 pixels)."
        parts.append(("Reconstruction", page.paragraph(text)))
        figures = []
        for number, name in enumerate(evaluation.model.config.attributes):
            person = evaluation.people[number % len(evaluation.people)]
            wanted = [{name: float(value)} for value in STRIP]
            strip, _ = samples.edit(evaluation.model, [person] * len(wanted), wanted)
            figures.append(page.figure([person.image, *strip], name, 80))
        meaning = f"The picture, then the attribute from {LOWEST:g} to {HIGHEST:g} (0 no, 1 yes)."
        return [*parts, ("Intensity", page.paragraph(meaning) + "".join(figures))]


def _protocol(cases, kind, names):
    if not cases:
        return None
    places = [ATTRIBUTES.index(name) for name in names]

    def chosen(values):
        return np.array([np.asarray(value, float)[places] for value in values])

    judged = chosen([case.judged[kind]["attributes"] for case in cases])
    asked = chosen([case.asked["attributes"] for case in cases])
    before = chosen([case.person.labels["attributes"] for case in cases])
    edited = np.array([[name in case.wanted for name in names] for case in cases])
    accuracy, error = metrics.attribute_errors(judged, asked, edited)
    _, published = metrics.attribute_errors(judged, np.where(edited, asked, before), edited)
    terms = {"editing_accuracy": accuracy, "preservation_error": error, "preservation_error_published": published}
    return {term: _by_name(names, values) for term, values in terms.items()}


def _by_name(names, values):
    known = {name: scoring.known(value) for name, value in zip(names, values, strict=True)}
    return {**known, "mean": scoring.mean([float(value) for value in values])}


def _reconstruction(evaluation):
    from skimage.metrics import structural_similarity

    from tfface import samples

    people = evaluation.people
    made, _ = samples.edit(evaluation.model, people, [{}] * len(people))
    pairs = [(person.image, picture) for person, picture in zip(people, made, strict=True)]
    return {
        "psnr": scoring.mean([metrics.psnr(a, b) for a, b in pairs]),
        "ssim": scoring.mean([structural_similarity(a, b, channel_axis=-1, data_range=255) for a, b in pairs]),
    }


def _asked(now, wanted):
    values = attribute_rules.edited(dict(zip(ATTRIBUTES, now.tolist(), strict=True)), wanted)
    return np.array([values[name] for name in ATTRIBUTES], np.float32)


def _number(text, where):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {text!r} is no number; expected 0 (no) to 1 (yes), such as Eyeglasses=1")
    if not LOWEST <= value <= HIGHEST:
        raise InputError(f"{where}: {value:g} is outside {LOWEST:g} to {HIGHEST:g}; 0 is no, 1 is yes")
    return value
