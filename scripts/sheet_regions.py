"""Draws docs/regions.png: the 43 regions by number and the 8 groups with their boxes, on a rendered head."""

import argparse
import pathlib

import cv2
import numpy as np

from tfface import regions, sheets
from tfface.synthetic import attributes, camera, people
from tfface.synthetic.render import render
from tfface.synthetic.scene import Background, Light, Pose, Scene

PLAIN = {"Bangs": 0, "Eyeglasses": 0, "Goatee": 0, "Mustache": 0, "No_Beard": 1}
LINE, BOX, TINT = (255, 240, 90), (60, 220, 90), np.array([230, 60, 60])


def face(identity, yaw, size):
    """Returns the rendering of one person without expression."""
    looks = attributes.complete(identity, PLAIN)
    pose, crop = camera.aligned(people.person(identity, looks).shape, Pose(yaw))
    return render(
        Scene(identity, (0.0,) * 17, looks, pose, Light(20, 30, 1.0, 0.4), crop, Background("gradient", 3)), size
    )


def numbered(rendering, size):
    """Returns the picture, enlarged, with the outlines and numbers of all 43 regions."""
    scale = size / len(rendering.image)
    picture = cv2.resize(rendering.image, (size, size), interpolation=cv2.INTER_CUBIC)
    corners = regions.polygons(rendering.landmarks * scale)
    for polygon in corners.values():
        cv2.polylines(picture, [np.rint(polygon * 16).astype(np.int32)], True, LINE, 1, cv2.LINE_AA, shift=4)
    for number, polygon in corners.items():
        text = str(number)
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
        moments = cv2.moments(polygon.astype(np.float32))
        middle = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
        place = tuple(np.rint(middle + [-width / 2, height / 2]).astype(int).tolist())
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return picture


def marked(rendering, region):
    """Returns the picture with a region tinted and its boxes drawn."""
    picture = rendering.image.copy()
    picture[region.mask] = np.rint(0.55 * picture[region.mask] + 0.45 * TINT).astype(np.uint8)
    for top, left, bottom, right in region.boxes.tolist():
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), BOX, 1)
    return picture


def sheet(identity, yaw, size):
    """Returns the whole sheet as an RGB picture: the numbered regions, the groups, AU45, and three groups turned."""
    frontal, turned = face(identity, 0, size), face(identity, yaw, size)
    of_groups, of_turned = (regions.group_regions(r.landmarks, size) for r in (frontal, turned))
    pictures = [marked(frontal, region) for region in of_groups.values()]
    labels = [f"group {n}: {' '.join(group.action_units)}" for n, group in regions.GROUPS.items()]
    pictures.append(marked(frontal, regions.au_regions(frontal.landmarks, size)["AU45"]))
    labels.append("no group: AU45")
    for number in (1, 3, 6):
        pictures.append(marked(turned, of_turned[number]))
        labels.append(f"group {number} at yaw {yaw}")
    small = sheets.grid(pictures, 4, labels)
    return np.hstack([numbered(frontal, len(small)), small])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path("docs/regions.png"))
    parser.add_argument("--identity", type=int, default=11)
    parser.add_argument("--yaw", type=int, default=40, help="of the turned head, degrees")
    parser.add_argument("--size", type=int, default=200, help="side of one small picture in pixels")
    arguments = parser.parse_args()
    sheets.save(arguments.output, sheet(arguments.identity, arguments.yaw, arguments.size))
    print(arguments.output)


if __name__ == "__main__":
    main()
