"""Rebuilds tfface/assets/fit_model.npz: what fitting the synthetic head to photographs needs to know.

    python scripts/build_fit_model.py -o tfface/assets/fit_model.npz

Where on the head's surface each point of the face landmarker lies: the landmarker looks at rendered people whose
geometry is known; each of its 468 points is traced back to the skin under it, and the median over all pictures, taken
on the base mesh, is where the point lies. And how people differ: principal components of many drawn people, each as
weights of the head's shape targets.
"""

import argparse
import dataclasses
import pathlib
import sys

import numpy as np
from scipy import spatial
from tqdm import tqdm

from tfface.faces import Landmarker
from tfface.synthetic import camera, head, people, raster, sampler
from tfface.synthetic.render import render
from tfface.synthetic.scene import Pose, action_units

PEOPLE, COMPONENTS = 360, 60
POINTS = 468  # without the irises, which turn in their sockets
SIZE = 320  # pixels
REACH = 6  # pixels; inner lips and lids lie on edges, and a little beyond there is no skin
EXPRESSIONS = ({}, {"AU25": 4, "AU26": 3}, {}, {"AU12": 3}, {"AU26": 4}, {"AU05": 2})
SETTINGS = sampler.Settings(margin=1.5, expressions=False, images_per_person=1, jitter=0.0)


def outer_skin():
    """Returns (T, 3) triangles of the outer skin."""
    template = head.template()
    body = template.part == template.part_names.index("body")
    return template.surface[body & np.isin(template.surface, template.skin_vertices).all(1)]


def scene_of(number):
    """Returns a person with bare eyes, nearly from the front, lit from the camera."""
    scene = sampler.sample_scene(20, number, SETTINGS)
    rng = np.random.default_rng([7, number])
    worn = dict(scene.attributes) | {"Eyeglasses": 0, "Bangs": 0}
    shape = people.person(scene.identity, tuple(sorted(worn.items()))).shape
    pose, crop = camera.aligned(shape, Pose(rng.uniform(-18, 18), rng.uniform(-8, 8), 0.0), 20.0, 1.5)
    return dataclasses.replace(
        scene,
        attributes=tuple(sorted(worn.items())),
        pose=pose,
        camera=crop,
        light=dataclasses.replace(scene.light, azimuth=scene.light.azimuth / 3, elevation=15.0, ambient=0.5),
        action_units=action_units(**EXPRESSIONS[number % len(EXPRESSIONS)]),
    )


def trace(scene, points, triangles):
    """Returns (468, 3) places on the base mesh under the points of a picture, NaN where there is no skin."""
    person = people.person(scene.identity, scene.attributes)
    geometry = head.deform(person.shape, scene.action_units)
    at, _, distance = camera.project(geometry.vertices, camera.pivot(geometry.neutral), scene.pose, scene.camera)
    seen = np.column_stack([at * SIZE, 1 / distance])
    number, weights, _ = raster.rasterize(seen, triangles, np.zeros(len(triangles), bool), SIZE)
    rows, columns = np.nonzero(number >= 0)
    away, nearest = spatial.cKDTree(np.column_stack([columns, rows]) + 0.5).query(points)
    hit = number[rows, columns][nearest]
    second, third = weights[rows, columns][nearest].T
    share = np.stack([1 - second - third, second, third], 1)
    place = np.einsum("nk,nkd->nd", share, head.template().vertices[triangles[hit]])
    place[away > REACH] = np.nan
    return place


def closest(places, triangles):
    """Returns vertex numbers (N, 3) and weights (N, 3) of the points of a surface closest to (N, 3) places."""
    vertices = head.template().vertices.astype(np.float64)
    corners = vertices[triangles]
    tree = spatial.cKDTree(corners.mean(1))
    numbers, shares = [], []
    for place in places:
        near = tree.query(place, 40)[1]
        best = min((_closest_in(place, corners[t]) + (t,) for t in near), key=lambda found: found[0])
        numbers.append(triangles[best[2]])
        shares.append(best[1])
    return np.array(numbers), np.array(shares)


def _closest_in(place, corners):
    """Returns (distance, weights) of the point of one triangle that is closest to a place."""
    edges = np.stack([corners[1] - corners[0], corners[2] - corners[0]], 1)
    v, w = np.linalg.lstsq(edges, place - corners[0], rcond=None)[0]
    weights = np.clip([1 - v - w, v, w], 0, None)
    weights /= weights.sum()
    return float(np.linalg.norm(weights @ corners - place)), weights


def components():
    """Returns weights of the shape targets: of the mean (T,) and of principal components (K, T) of unit variance."""
    names = {name: number for number, name in enumerate(head.template().target_names)}
    drawn, surfaces = np.zeros((PEOPLE, len(names))), []
    for number in range(PEOPLE):
        shape = people.person(number, ()).shape
        drawn[number, [names[name] for name in shape]] = list(shape.values())
        neutral = head.neutral(shape)
        surfaces.append((neutral - camera.pivot(neutral)).ravel())
    flat = np.array(surfaces) - np.mean(surfaces, 0)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    chosen = vectors[:, np.argsort(-values)[:COMPONENTS]]
    mean = drawn.mean(0)
    return mean, chosen.T @ (drawn - mean) / np.sqrt(PEOPLE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--pictures", type=int, default=360)
    options = parser.parse_args()
    landmarker, triangles, places = Landmarker(), outer_skin(), []
    for number in tqdm(range(options.pictures)):
        scene = scene_of(number)
        found = landmarker.find(render(scene, SIZE, 1).image)
        if len(found) == 1:
            places.append(trace(scene, found[0].mesh[:POINTS, :2], triangles))
    places = np.array(places)
    middle = np.nanmedian(places, 0)
    spread = np.sqrt(np.nanmedian(((places - middle) ** 2).sum(2), 0))
    vertices, weights = closest(middle, triangles)
    mean, differences = components()
    np.savez_compressed(
        options.output,
        vertices=vertices.astype(np.int16),
        weights=weights.astype(np.float32),
        spread=spread.astype(np.float32),
        mean=mean.astype(np.float32),
        components=differences.astype(np.float32),
    )
    print(f"{len(places)} faces, median spread {np.median(spread):.3f} dm, largest {spread.max():.3f} dm")


if __name__ == "__main__":
    sys.exit(main())
