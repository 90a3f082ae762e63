"""Scenes to records: the picture and the labels that the scene knows exactly. No TensorFlow."""

from tfface.data import records
from tfface.synthetic import sampler
from tfface.synthetic.labels import labels
from tfface.synthetic.render import render


def render_range(start, stop, image_size, seed, settings):
    """Returns the records of scenes `start` to `stop` - 1; their pictures are PNG bytes."""
    return [render_record(seed, index, image_size, settings) for index in range(start, stop)]


def render_record(seed, index, image_size, settings):
    """Returns the record of one scene of a set, as `records` describes it."""
    scene = sampler.sample_scene(seed, index, settings)
    record = record_of(scene, image_size)
    record["source"] = f"synthetic/{settings.people}-{seed}/{index:07d}"
    record["view"] = sampler.view_name(index, settings)
    return record


def record_of(scene, image_size):
    """Renders any scene into a record whose pictures are PNG bytes; `source` and `view` are left to the caller."""
    rendering = render(scene, image_size)
    return {
        "image": records.encode_image(rendering.image),
        "action_units": scene.action_units,
        "attributes": labels(scene),
        "pose": (scene.pose.yaw, scene.pose.pitch, scene.pose.roll),
        "light": (scene.light.azimuth, scene.light.elevation),
        "landmarks": rendering.landmarks,
        "landmarks_visible": rendering.landmarks_visible,
        "identity": scene.identity,
        "mask": records.encode_image(rendering.mask),
        "occluder": records.encode_image(rendering.occluder) if scene.occluder else None,
        "scene": scene.to_json(),
    }
