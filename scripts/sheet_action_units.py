"""Draws docs/action_units.png: each of the 17 action units at 0, 2.5 and 5 on two people."""

import argparse
import pathlib

import cv2
import numpy as np

from tfface import conventions
from tfface.synthetic import attributes, camera, people
from tfface.synthetic.render import render
from tfface.synthetic.scene import Background, Light, Pose, Scene, action_units

# Nothing that hides brows, mouth or chin.
PLAIN = {"Bangs": 0, "Eyeglasses": 0, "Goatee": 0, "Mustache": 0, "No_Beard": 1}
INTENSITIES = (0.0, 2.5, 5.0)
LABEL_WIDTH = 64


def tile(identity, name, intensity, size):
    """Returns a (size, size, 3) RGB picture of one person with one action unit."""
    looks = attributes.complete(identity, PLAIN)
    pose, crop = camera.aligned(people.person(identity, looks).shape, Pose())
    units = action_units(**{name: intensity})
    light, wall = Light(20, 30, 1.0, 0.4), Background("gradient", 3)
    return render(Scene(identity, units, looks, pose, light, crop, wall), size).image


def sheet(identities, size):
    """Returns the whole sheet as an RGB picture: three intensities of each person per action unit, in two columns."""
    rows = []
    for name in conventions.ACTION_UNITS:
        label = np.full((size, LABEL_WIDTH, 3), 255, np.uint8)
        cv2.putText(label, name, (6, size // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        rows.append(np.hstack([label] + [tile(i, name, x, size) for i in identities for x in INTENSITIES]))
    half = (len(rows) + 1) // 2
    rows += [np.full_like(rows[0], 255)] * (2 * half - len(rows))
    return np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path("docs/action_units.png"))
    parser.add_argument("--identities", type=int, nargs="+", default=[11, 5])
    parser.add_argument("--size", type=int, default=128, help="side of one picture in pixels")
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(arguments.output), sheet(arguments.identities, arguments.size)[..., ::-1])
    print(arguments.output)


if __name__ == "__main__":
    main()
