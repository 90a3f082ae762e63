"""Patches: where they lie, exact inverses, mirrored faces, a fuser that loses nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface import conventions, patches


def face(size=64, turn=0.0, shift=(0.0, 0.0)):
    """68 landmarks whose five points are those of `patches.FRONTAL`, narrowed and moved as a face's that turns."""
    five = patches.FRONTAL.astype(np.float64) * size
    middle = five[:2].mean(0)[0]
    five[:, 0] = middle + (five[:, 0] - middle) * np.cos(turn)
    five[2, 0] += 10 * np.sin(turn) * size / 128
    five += shift
    landmarks = np.full((68, 2), size / 2.0)
    landmarks[36:42], landmarks[42:48] = five[0], five[1]
    landmarks[30], landmarks[48], landmarks[54] = five[2], five[3], five[4]
    return landmarks.astype(np.float32)


def noise(shape, seed=0):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, shape), tf.float32)


def places(*faces, size=64):
    return patches.five_points(tf.constant(np.stack(faces)))


def test_five_of_68_points():
    landmarks = np.stack([np.arange(68), 100 + np.arange(68)], 1).astype(np.float32)
    points = patches.five_points(tf.constant(landmarks[None]))[0].numpy()
    assert points[:, 0].tolist() == [38.5, 44.5, 30, 48, 54]  # the last number of a list of 68 is 67, no corner is it
    assert points[:, 1].tolist() == [138.5, 144.5, 130, 148, 154]


def test_sizes_of_the_paper_and_of_smaller_pictures():
    assert patches.sizes(128, 8) == {"left_eye": (40, 40), "right_eye": (40, 40), "nose": (32, 40), "mouth": (32, 48)}
    assert patches.sizes(64, 4) == {"left_eye": (20, 20), "right_eye": (20, 20), "nose": (16, 20), "mouth": (16, 24)}
    assert all(side % 8 == 0 for shape in patches.sizes(64, 8).values() for side in shape)


def test_a_patch_is_the_pixels_about_its_point():
    image = noise((2, 64, 64, 3))
    points = places(face(), face(shift=(3.0, -2.0)))
    cut = patches.crop_parts(image, points, 4)
    # The left eye of the average face is at (22.7, 22.1): rows 12 to 31, columns 13 to 32.
    np.testing.assert_array_equal(cut["left_eye"][0], image[0, 12:32, 13:33])
    np.testing.assert_array_equal(cut["left_eye"][1], image[1, 10:30, 16:36])
    # The mouth's middle is (32, 41.9).
    np.testing.assert_array_equal(cut["mouth"][0], image[0, 34:50, 20:44])
    # The nose's patch ends 5.5 pixels below the tip (32, 32.55).
    np.testing.assert_array_equal(cut["nose"][0], image[0, 22:38, 22:42])


@pytest.mark.parametrize("size", [32, 64, 128])
def test_pasting_undoes_cropping_to_the_pixel(size):
    image = noise((3, size, size, 4))
    shapes = patches.sizes(size, 4)
    centres = patches.centres(places(*(face(size, t, (t, -t)) for t in (0.0, 0.4, 1.5))), size)
    for number, (height, width) in enumerate(shapes.values()):
        corner = patches.corners(centres[:, number], height, width, size)
        cut = patches.crop(image, corner, height, width)
        back = patches.paste(cut, corner, size)
        np.testing.assert_array_equal(patches.crop(back, corner, height, width), cut)
        for n, (row, column) in enumerate(corner.numpy()):
            inside = np.zeros((size, size), bool)
            inside[row : row + height, column : column + width] = True
            np.testing.assert_array_equal(back[n][inside], image[n][inside])
            assert not back[n][~inside].numpy().any()


def test_patches_stay_in_the_picture():
    corner = patches.corners(tf.constant([[-50.0, 3.0], [70.0, 63.9], [32.0, 32.0]]), 16, 24, 64)
    assert corner.numpy().tolist() == [[0, 0], [48, 40], [24, 20]]


def test_the_nose_of_a_profile_lies_before_its_patch():
    offsets = []
    for turn in (0.0, np.pi / 4, np.pi / 2):
        points = places(face(128, turn))
        offsets.append(float(points[0, 2, 0] - patches.centres(points, 128)[0, 2, 0]))
    np.testing.assert_allclose(offsets, [0, 12 * (1 - np.cos(np.pi / 4)), 12], atol=0.2)  # of 128; the code has 0 to 12
    mirrored = patches.mirror_points(places(face(128, np.pi / 2)), 128)
    assert float(mirrored[0, 2, 0] - patches.centres(mirrored, 128)[0, 2, 0]) == pytest.approx(-12, abs=0.2)


def test_faces_turned_left_are_mirrored_and_back():
    image = noise((3, 64, 64, 3))
    right = face(turn=0.8)
    left = conventions.mirror_landmarks(right, 64).astype(np.float32)
    landmarks = tf.constant(np.stack([right, left, face(turn=0.1)]))
    turned, points, mirrored = patches.face_right(image, landmarks)
    assert mirrored.numpy().tolist() == [False, True, False]
    np.testing.assert_array_equal(turned[1], image[1, :, ::-1])
    np.testing.assert_array_equal(turned[0], image[0])
    np.testing.assert_allclose(points[1], points[0], atol=1e-4)
    np.testing.assert_array_equal(patches.mirror(turned, mirrored), image)


def test_rendered_heads_face_where_their_yaw_says(synthetic_data):
    from tfface.data import records

    found = [(r["pose"][0], r["landmarks"]) for r in records.open_dataset(synthetic_data) if abs(r["pose"][0]) > 10]
    assert len(found) > 10
    yaws, landmarks = map(np.stack, zip(*found, strict=True))
    left = patches.faces_left(patches.five_points(tf.constant(landmarks))).numpy()
    assert (left == (yaws < 0)).all()


def test_average_frontal_points_are_those_of_frontal_crops():
    from tfface.synthetic import camera, head, landmarks, people
    from tfface.synthetic.scene import Pose

    found = []
    for identity in range(12):
        shape = people.person(identity, ()).shape
        pose, crop = camera.aligned(shape, Pose())
        neutral = head.neutral(shape)
        points, _, _ = camera.project(neutral[landmarks.VERTICES], camera.pivot(neutral), pose, crop)
        found.append(patches.five_points(tf.constant(points, tf.float32)).numpy())
    np.testing.assert_allclose(np.mean(found, 0), patches.FRONTAL, atol=0.02)


def test_the_fuser_keeps_negative_values():
    places = patches.frontal_corners(64, 4)
    parts = {
        part: -0.9 + 0.1 * noise((2, *shape, 5), n) for n, (part, shape) in enumerate(patches.sizes(64, 4).items())
    }
    whole = patches.fuse(parts, places, 64, 0.0).numpy()
    count = np.zeros((64, 64), int)
    for part, (row, column) in places.items():
        height, width = parts[part].shape[1:3]
        count[row : row + height, column : column + width] += 1
        patch = whole[:, row : row + height, column : column + width]
        assert (patch >= parts[part].numpy()).all() and patch.max() < -0.7  # the larger one, and no zero
    assert count.max() >= 2
    row, column = places["mouth"]
    alone = count[row : row + 16, column : column + 24] == 1
    np.testing.assert_array_equal(
        whole[:, row : row + 16, column : column + 24][:, alone], parts["mouth"].numpy()[:, alone]
    )
    assert not whole[:, count == 0].any()
    np.testing.assert_array_equal(patches.fuse(parts, places, 64, -1.0)[:, 0, 0], -1.0)


def test_patches_of_an_average_face_are_pasted_where_they_were_cut_out():
    image = noise((1, 64, 64, 3))
    parts = patches.crop_parts(image, places(face()), 4)
    whole = patches.fuse(parts, patches.frontal_corners(64, 4), 64, -2.0).numpy()
    inside = whole > -2
    np.testing.assert_array_equal(whole[inside], image.numpy()[inside])
    assert 0.2 < inside.mean() < 0.6


def test_layers_are_serialisable_and_work_in_half_precision():
    image, landmarks = keras.Input((64, 64, 3), name="image"), keras.Input((68, 2), name="landmarks")
    seen, points, mirrored = patches.FaceRight()(image, landmarks)
    parts = patches.CropParts(4)(seen, points)
    whole = patches.FuseParts(64, 4, -1.0)(parts)
    outputs = [patches.MirrorBack()(whole, mirrored), patches.Zeros(3)(image)]
    model = keras.Model([image, landmarks], outputs)
    again = keras.Model.from_config(model.get_config())
    pictures = noise((2, 64, 64, 3))
    asked = [pictures, tf.constant(np.stack([face(turn=0.5), conventions.mirror_landmarks(face(turn=0.5), 64)]))]
    for ours, theirs in zip(model(asked), again(asked), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert model(asked)[1].shape == (2, 3) and not model(asked)[1].numpy().any()
    assert patches.CropParts(4, dtype="mixed_bfloat16").compute_dtype == "float32"
