"""Draws docs/attributes.png: every rendered attribute off and on, on several people.

python scripts/sheet_attributes.py -o docs/attributes.png
"""

import argparse
import pathlib

import cv2
import numpy as np

from tfface.synthetic import attributes, camera, labels, people, scene
from tfface.synthetic.render import render

NAMES = scene.ATTRIBUTES + ("Smiling", "Mouth_Slightly_Open")


def pair(identity, name, size):
    """Returns the pictures (without, with) of one person and attribute, all else the same."""
    own = attributes.default_attributes(identity)
    turned = scene.Pose(18 - 9 * (identity % 5), 0, 0)
    pose, view = camera.aligned(people.person(identity, own).shape, turned, margin=1.3)
    behind = scene.Background("gradient", identity)
    base = scene.Scene(identity, (0.0,) * 17, own, pose, scene.Light(25, 30), view, behind)
    return [render(labels.with_attribute(base, name, value), size).image for value in (0, 1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path("docs/attributes.png"))
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--first", type=int, default=300)
    parser.add_argument("--image-size", type=int, default=96)
    options = parser.parse_args()
    rows = []
    for name in NAMES:
        row = [np.full((options.image_size, 150, 3), 255, np.uint8)]
        at = (4, options.image_size // 2)
        cv2.putText(row[0], name, at, cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
        for identity in range(options.first, options.first + options.people):
            row += [*pair(identity, name, options.image_size), np.full((options.image_size, 6, 3), 255, np.uint8)]
        rows.append(np.hstack(row))
    cv2.imwrite(str(options.output), np.vstack(rows)[..., ::-1])


if __name__ == "__main__":
    main()
