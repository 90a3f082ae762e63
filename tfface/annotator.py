"""Labels photos: action units, attributes, pose, face descriptor, confidence. Never the judge that scores a model.

It shares neither people, pictures nor weights with `tfface.judges`, so that what a model learns from its labels can be
judged by them. It learnt from rendered people of its own (`tfface.annotating`), seen through the landmarker with other
cameras, light, noise and things before the face; `accuracy` says how well it does on held-out ones. Three readers of
action units answer together:

* EmotioNet's annotator (Benitez-Quiroz et al. 2016): shape (distances and angles between landmarks) and shade (Gabor
  responses there), a kernel discriminant with classes of intensity;
* a learned network's maps of the face (`tfface.identity`, which learnt from photographs), with all of the above;
* the dense mesh turned to the front and the landmarker's own 52 blendshapes.

Made by ``python scripts/train_annotator.py WORK``.
"""

import functools
import json
import pathlib

import numpy as np

from tfface import alignment, attribute_rules, conventions, faces, images
from tfface.annotating import features, readers
from tfface.annotating.looks import look
from tfface.errors import InputError

ASSET = pathlib.Path(__file__).parent / "assets" / "annotator.npz"
ACCURACY = ASSET.with_suffix(".json")
_BATCH = 32


def accuracy():
    """Returns the shipped annotator's scores on held-out truth, and how it was made, as a dict."""
    return json.loads(ACCURACY.read_text())


@functools.cache
def shipped():
    """Returns the `Annotator` of the package, loaded once."""
    return Annotator()


class Annotator:
    """The readers of a file.

    Attributes:
        attributes: names of the attributes that it knows, of CelebA's 40; the others are never settled.
    """

    def __init__(self, path=ASSET):
        """
        Raises:
            InputError: the file does not hold an annotator.
        """
        try:
            with np.load(path) as data:
                arrays = dict(data)
            self._shares = dict(zip(arrays["readers"].tolist(), arrays["shares"].tolist(), strict=True))
            self._readers = {name: _unpacked(arrays, name) for name in self._shares}
            self._intensities = arrays["intensities"]
            self._attributes, self._logits = _unpacked(arrays, "attributes"), arrays["logits"]
            self.attributes = tuple(arrays["names"].tolist())
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{path}: no annotator ({error}); run python scripts/train_annotator.py") from error
        self._landmarker = None

    def annotate(self, pictures, landmarks):
        """Labels faces.

        Args:
            pictures: N uint8 RGB pictures of any sizes.
            landmarks: N arrays that say where a face is in each, in its pixels: a mesh (478, 3) of `faces.Face` or 68
                landmarks (68, 2).

        Returns:
            dict of float32 arrays: `action_units` (N, 17) intensities 0-5, `attributes` (N, 40) probabilities (NaN for
            what it does not know), `pose` (N, 3) yaw, pitch, roll in degrees in the picture, `embedding` (N, 128),
            `confidence` (N,) 0-1, the mesh network's that a face is there; where it is 0, none was found and the rest
            is NaN.

        Raises:
            InputError: a picture or its landmarks are of another shape or type.
        """
        if len(pictures) != len(landmarks):
            raise InputError(f"{len(pictures)} pictures and {len(landmarks)} landmarks: expected as many of both")
        seen, confidence = [], np.zeros(len(pictures), np.float32)
        for number, (picture, points) in enumerate(zip(pictures, landmarks, strict=True)):
            face = self._follow(picture, np.asarray(points, np.float32))
            if face is not None:
                seen.append(look(picture, face.mesh, face.blendshapes))
                confidence[number] = face.presence
        found = {name: np.full((len(pictures), count), np.nan, np.float32) for name, count in _WIDTHS.items()}
        for start in range(0, len(seen), _BATCH):
            part = self.read(seen[start : start + _BATCH])
            rows = np.flatnonzero(confidence)[start : start + _BATCH]
            for name, values in part.items():
                found[name][rows] = values
        return {**found, "confidence": confidence}

    def labels(self, photo, face):
        """Returns what a face of a photo shows, in the units of `tfface.tasks`.

        Args:
            photo: (H, W, 3) uint8 RGB.
            face: `faces.Face`.

        Returns:
            dict of `action_units` (17,) 0-1, `attributes` (40,) 0 or 1, the likeliest that go together, 0.5 for unknown
            ones, and `pose` (3,) in degrees as in the face's aligned crop.
        """
        found = self.read([look(photo, face.mesh, face.blendshapes)])
        likely = dict(zip(conventions.ATTRIBUTES, found["attributes"][0].tolist(), strict=True))
        likely = attribute_rules.settled({name: likely[name] for name in self.attributes})
        pose = conventions.pose_in_crop(face.pose, alignment.alignment_matrix(face.landmarks, 1))
        return {
            "action_units": found["action_units"][0] / conventions.MAX_INTENSITY,
            "attributes": np.array([likely.get(name, 0.5) for name in conventions.ATTRIBUTES], np.float32),
            "pose": np.array(pose, np.float32),
        }

    def read(self, seen):
        """Returns the dict of `annotate`, without confidence, of N `annotating.looks.Look`s (at least one)."""
        geometry = features.of_geometry(seen)
        return self.complete(geometry, *(np.stack([getattr(one, name) for one in seen]) for name in features.CROPS))

    def complete(self, geometry, *crops):
        """Returns the dict of `read` of the blocks of `features.of_geometry` and the crops of `features.of_network`."""
        return self.answers({**geometry, **features.of_network(*crops)})

    def answers(self, blocks):
        """Returns the dict of `read` of all blocks of `features`."""
        gain, offset = self._intensities
        units = sum(share * self._readers[name](blocks) for name, share in self._shares.items()) * gain + offset
        gain, offset = self._logits
        attributes = np.full((len(units), len(conventions.ATTRIBUTES)), np.nan, np.float32)
        places = [conventions.ATTRIBUTES.index(name) for name in self.attributes]
        attributes[:, places] = 1 / (1 + np.exp(-(self._attributes(blocks) * gain + offset)))
        return {
            "action_units": np.clip(units, 0, conventions.MAX_INTENSITY).astype(np.float32),
            "attributes": attributes,
            "pose": blocks["pose"].astype(np.float32),
            "embedding": blocks["descriptor"].astype(np.float32),
        }

    def _follow(self, picture, points):
        if getattr(picture, "dtype", None) != np.uint8 or np.ndim(picture) != 3 or np.shape(picture)[2] != 3:
            raise InputError(f"picture is {getattr(picture, 'dtype', type(picture).__name__)} {np.shape(picture)}: "
                             "expected (height, width, 3) uint8 RGB")  # fmt: skip
        if self._landmarker is None:
            self._landmarker = faces.Landmarker()
        if points.shape == (68, 2):
            points = faces.rough_mesh(points)
        if points.shape != (faces.MESH_POINTS, 3):
            raise InputError(f"landmarks are {points.shape}: expected a mesh (478, 3) or landmarks (68, 2)")
        if not np.isfinite(points).all():
            return None
        rough = faces.Face(np.zeros(4, np.float32), 0.0, 0.0, points, np.zeros(52, np.float32))
        first = self._landmarker.follow(picture, rough)
        return None if first is None else self._landmarker.follow(picture, first)


_WIDTHS = {"action_units": 17, "attributes": len(conventions.ATTRIBUTES), "pose": 3, "embedding": 128}


def settled(probabilities, unsure=0.3):
    """Returns int8 labels, 1, 0 or -1, of an array of probabilities: those within `unsure` of 0.5 stay unknown."""
    probabilities = np.asarray(probabilities)
    labels = np.full(probabilities.shape, conventions.UNKNOWN, np.int8)
    labels[probabilities >= 0.5 + unsure] = 1
    labels[probabilities <= 0.5 - unsure] = 0
    return labels


def save(path, parts, shares, intensities, attribute_reader, names, logits):
    """Writes an annotator.

    Args:
        path: .npz.
        parts, shares: name -> reader of action units, name -> its share in the answer.
        intensities: (2, 17) gains and offsets of the action units.
        attribute_reader, names, logits: the reader of attributes, which they are, (2, A) gains and offsets.
    """
    arrays = {"readers": np.array(list(shares)), "shares": np.array(list(shares.values()), np.float32)}
    arrays |= {"intensities": np.float32(intensities), "names": np.array(names), "logits": np.float32(logits)}
    for name, reader in {**parts, "attributes": attribute_reader}.items():
        arrays |= {f"{name}:{key}": value for key, value in readers.pack(reader).items()}
    with images.atomic(path) as stream:
        np.savez_compressed(stream, **arrays)


def _unpacked(arrays, name):
    found = {key.partition(":")[2]: value for key, value in arrays.items() if key.startswith(name + ":")}
    return readers.unpack(found)
