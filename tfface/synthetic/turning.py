"""The same person turned: another pose in a crop that is aligned to it, as the crop of a photo would be. No TensorFlow.

A scene's camera crops one pose. Turning the head under it moves the face in the picture; photos of turned heads, and
the pictures of one scene in sets made with ``--vary pose``, are each cropped by their own landmarks.
"""

import dataclasses

import numpy as np

from tfface.synthetic import camera, people
from tfface.synthetic.scene import Camera, Pose, Scene


def turned(scene: Scene, pose: Pose) -> Scene:
    """Returns the scene at another pose, its crop as far off alignment (shift, zoom) as the scene's own is.

    Args:
        scene: its camera is of the framing "aligned" (`sampler.Settings`), of any margin.
        pose: as the new crop shows it.
    """
    shape = people.person(scene.identity, scene.attributes).shape
    old_x, old_y, old_scale = _aligned(shape, scene.pose, scene.camera.field_of_view)
    new_x, new_y, new_scale = _aligned(shape, pose, scene.camera.field_of_view)
    zoom = scene.camera.scale / old_scale  # of the margin and of the jitter
    framed = Camera(
        round(new_scale * zoom, 4),
        round(new_x * zoom + scene.camera.x - old_x * zoom, 4),
        round(new_y * zoom + scene.camera.y - old_y * zoom, 4),
        scene.camera.field_of_view,
    )
    return dataclasses.replace(scene, pose=pose, camera=framed)


def _aligned(shape, pose, field_of_view):
    """Returns the pivot's place from the middle and the scale of the crop with margin 1 that shows a pose."""
    upright, crop = camera.aligned(shape, pose, field_of_view)
    # What the pose has beyond an upright crop's roll turns the whole crop about its middle.
    roll = np.deg2rad(pose.roll - upright.roll)
    x = crop.x * np.cos(roll) + crop.y * np.sin(roll)
    return x, crop.y * np.cos(roll) - crop.x * np.sin(roll), crop.scale
