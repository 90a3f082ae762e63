"""How near a photo rendered anew comes to the truth: ``python -m benchmarks.rerender --people 50``.

Synthetic people stand in for photos, since of these the true picture from another side exists. A person is rendered
nearly from the front, `tfface.rerendering` sees that picture alone and renders it turned, and both this and doing
nothing (`copy`) are compared with the true picture of the same person, light, background and camera. Prints a Markdown
table: PSNR in dB over all pictures' squared errors, each in the same crop around the true face.
"""

import argparse
import dataclasses
import sys

import cv2
import numpy as np
from tqdm import tqdm

from tfface import alignment, images
from tfface.errors import InputError, exit_code
from tfface.faces import Landmarker
from tfface.rerendering.portrait import Portrait, turned_to
from tfface.synthetic import sampler
from tfface.synthetic.render import render
from tfface.synthetic.scene import Pose

PHOTO = 512  # pixels; the head fills the middle third
MARGIN = 2.4
SIZE, CROP_MARGIN = 128, 1.4  # of what is compared


def scene_of(number, seed):
    """Returns a person that nothing was learnt from, nearly from the front, with half an expression at most."""
    settings = sampler.Settings(people="evaluation", images_per_person=1, poses="frontal", margin=MARGIN, jitter=0.0)
    scene = sampler.sample_scene(seed, number, settings)
    return dataclasses.replace(scene, action_units=tuple(value / 2 for value in scene.action_units))


def compare(landmarker, scene, yaws):
    """Yields (name, region, sum of squared errors, number of values); nothing where no face is found."""
    seen = render(scene, PHOTO, 1)
    found = landmarker.find(seen.image)
    if not found:
        return
    portrait = Portrait.of(seen.image, max(found, key=lambda face: face.size), int(1.5 * SIZE * 2.3 / CROP_MARGIN))
    fit = portrait.fit
    for yaw in (0, *yaws):
        pose = Pose(scene.pose.yaw + yaw, scene.pose.pitch, scene.pose.roll)
        truth = seen if yaw == 0 else render(dataclasses.replace(scene, pose=pose), PHOTO, 1)
        to_crop = alignment.alignment_matrix(truth.landmarks, SIZE, CROP_MARGIN)
        # The same crop in pixels of the portrait's own square.
        inner = np.vstack([to_crop, [0, 0, 1]]) @ np.vstack([alignment.invert(portrait.matrix), [0, 0, 1]])
        made = portrait.render(turned_to(fit.pose, fit.pose.yaw + yaw), fit.action_units, inner[:2], SIZE)
        true = images.warp(truth.image, to_crop, SIZE).astype(np.float64)
        copied = images.warp(seen.image, to_crop, SIZE)
        head = images.warp(truth.mask, to_crop, SIZE) > 127
        face = np.zeros((SIZE, SIZE), np.uint8)
        hull = cv2.convexHull(alignment.apply(to_crop, truth.landmarks).astype(np.float32))
        cv2.fillConvexPoly(face, np.rint(hull).astype(np.int32), 1)
        for region, chosen in (("face", face > 0), ("head", head), ("picture", np.ones_like(head))):
            for name, picture in (("rerendered", made.image), ("copy", copied)):
                error = (picture.astype(np.float64) - true)[chosen]
                yield (name, region, yaw), float((error**2).sum()), error.size


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rerender", description="Photos rendered anew, against the truth."
    )
    parser.add_argument("--people", type=int, default=50, help="default %(default)s")
    parser.add_argument("--yaw", type=int, nargs="+", default=[-30, 30], help="turns in degrees (default -30 30)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other people")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    if options.people < 1:
        raise InputError(f"--people {options.people}: expected 1 or more")
    landmarker, totals, faces = Landmarker(), {}, 0
    for number in tqdm(range(options.people), unit="person", disable=None):
        rows = list(compare(landmarker, scene_of(number, options.seed), options.yaw))
        faces += bool(rows)
        for key, error, count in rows:
            before = totals.get(key, (0.0, 0))
            totals[key] = before[0] + error, before[1] + count
    print(
        f"{faces} of {options.people} people found\n\n| turn | region | copy, dB | rerendered, dB |\n|---|---|---|---|"
    )
    for region in ("face", "head", "picture"):
        for yaw in (0, *options.yaw):
            values = [10 * np.log10(255**2 * totals[n, region, yaw][1] / max(totals[n, region, yaw][0], 1e-9))
                      for n in ("copy", "rerendered")]  # fmt: skip
            print(f"| {yaw} | {region} | {values[0]:.2f} | {values[1]:.2f} |" if yaw else
                  f"| 0 | {region} | the same | {values[1]:.2f} |")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
