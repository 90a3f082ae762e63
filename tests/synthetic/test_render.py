import dataclasses
import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfface import conventions
from tfface.errors import InputError
from tfface.synthetic import attributes, background, camera, people, props
from tfface.synthetic.render import render, to_srgb
from tfface.synthetic.scene import ATTRIBUTES, Background, Camera, Light, Occluder, Pose, Scene, action_units

SIZE = 96
PLAIN = {"Bangs": 0, "Eyeglasses": 0, "Goatee": 0, "Mustache": 0, "No_Beard": 1, "Bald": 0}


def scene(identity=12, pose=None, looks=None, **fields):
    looks = attributes.complete(identity, looks or PLAIN)
    pose, crop = camera.aligned(people.person(identity, looks).shape, pose or Pose())
    return Scene(identity, attributes=looks, pose=pose, camera=crop, **fields)


def change(one, other):
    """Largest difference over channels, per pixel."""
    return np.abs(one.image.astype(int) - other.image.astype(int)).max(2)


def digest(rendering):
    arrays = [getattr(rendering, field.name) for field in dataclasses.fields(rendering)]
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def rows_of(rendering, points):
    return rendering.landmarks[points, 1]


def test_shapes_types_and_ranges():
    result = render(scene(), SIZE)
    assert result.image.shape == (SIZE, SIZE, 3) and result.image.dtype == np.uint8
    for mask in (result.mask, result.occluder):
        assert mask.shape == (SIZE, SIZE) and mask.dtype == np.uint8 and set(np.unique(mask)) <= {0, 255}
    assert result.landmarks.shape == (68, 2) and result.landmarks.dtype == np.float32
    assert result.landmarks_visible.dtype == np.int8
    assert result.depth.dtype == np.float32
    assert np.isfinite(result.depth[result.mask > 0]).all()
    assert (result.landmarks_visible[17:] == 1).all()
    assert (result.occluder == 0).all()


def test_same_scene_same_bytes_here_and_in_another_process():
    wanted = scene(occluder=Occluder("hand", 2), action_units=action_units(AU12=3, AU26=2))
    first = digest(render(wanted, SIZE))
    render(scene(3), SIZE)
    assert digest(render(wanted, SIZE)) == first
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_render import Scene, digest, render\n"
        "print(digest(render(Scene.from_json(sys.argv[2]), int(sys.argv[3]))))"
    )
    arguments = [sys.executable, "-c", code, __file__.rsplit("/", 1)[0], wanted.to_json(), str(SIZE)]
    assert subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip() == first


def test_a_smile_changes_the_lower_face_and_nothing_else():
    neutral = render(scene(), SIZE)
    smile = render(scene(action_units=action_units(AU12=5)), SIZE)
    changed = change(neutral, smile)
    assert changed[int(rows_of(neutral, [31, 35]).mean()) :].max() > 40
    assert changed[: int(rows_of(neutral, range(17, 27)).min())].max() <= 3
    assert (changed[: int(rows_of(neutral, range(36, 48)).min())] > 3).mean() < 0.01
    assert changed[(neutral.mask == 0) & (smile.mask == 0)].max() <= 3
    assert np.abs(smile.landmarks[17:48] - neutral.landmarks[17:48]).max() < 1.5
    np.testing.assert_allclose(smile.landmarks[17:27], neutral.landmarks[17:27], atol=0.1)


def test_light_changes_the_picture_but_no_other_label():
    one, other = render(scene(light=Light(-60, 10)), SIZE), render(scene(light=Light(60, 40)), SIZE)
    assert change(one, other).max() > 50
    for name in ("mask", "occluder", "landmarks", "landmarks_visible", "depth"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_background_changes_only_what_is_not_head():
    kinds = [Background("gradient", 1), Background("checks", 5)]
    one, other = (render(scene(background=kind), SIZE) for kind in kinds)
    np.testing.assert_array_equal(one.mask, other.mask)
    changed = change(one, other) > 0
    inside = one.mask > 0
    for _ in range(2):  # mixed pixels of the outline
        inside = (
            inside & np.roll(inside, 1, 0) & np.roll(inside, -1, 0) & np.roll(inside, 1, 1) & np.roll(inside, -1, 1)
        )
    assert changed[inside].mean() < 0.002  # a gap between locks of hair can be narrower than a pixel
    assert changed[one.mask == 0].mean() > 0.9


def test_lipstick_changes_lips_and_glasses_change_no_landmark():
    bare, painted = (render(scene(looks={**PLAIN, "Wearing_Lipstick": x}), SIZE) for x in (0, 1))
    rows, columns = np.nonzero(change(bare, painted) > 8)
    mouth = bare.landmarks[48:60]
    assert rows.min() > mouth[:, 1].min() - 4 and rows.max() < mouth[:, 1].max() + 4
    assert columns.min() > mouth[:, 0].min() - 4 and columns.max() < mouth[:, 0].max() + 4
    glasses = render(scene(looks={**PLAIN, "Eyeglasses": 1}), SIZE)
    assert change(bare, glasses).max() > 40
    np.testing.assert_array_equal(glasses.landmarks, bare.landmarks)


def test_another_identity_is_another_face_in_the_same_place():
    one, other = render(scene(12), SIZE), render(scene(13), SIZE)
    assert change(one, other)[(one.mask > 0) & (other.mask > 0)].mean() > 5
    assert np.abs(one.landmarks[36:48].mean(0) - other.landmarks[36:48].mean(0)).max() < 3


@pytest.mark.parametrize(
    ("pose", "axis", "sign"),
    [(Pose(yaw=25), 0, 1), (Pose(yaw=-25), 0, -1), (Pose(pitch=15), 1, 1), (Pose(pitch=-15), 1, -1)],
)
def test_signs_of_yaw_and_pitch(pose, axis, sign):
    view = Scene(12, camera=camera.centred())
    moved = (
        render(dataclasses.replace(view, pose=pose), SIZE).landmarks[30, axis] - render(view, SIZE).landmarks[30, axis]
    )
    assert sign * moved > 3


def test_sign_of_roll():
    tilted = render(Scene(12, pose=Pose(roll=20), camera=camera.centred()), SIZE).landmarks
    assert tilted[27, 0] < tilted[8, 0] - 5  # the top of the head tips to the image's left
    assert tilted[36:42, 1].mean() > tilted[42:48, 1].mean() + 3


@pytest.mark.parametrize("azimuth", [-60, 60])
def test_the_lit_side_is_the_one_the_azimuth_says(azimuth):
    result = render(scene(light=Light(azimuth, 0, 1.0, 0.2)), SIZE)
    half = SIZE // 2
    bright = [result.image[:, part][result.mask[:, part] > 0].mean() for part in (slice(0, half), slice(half, None))]
    assert (bright[1] > 1.2 * bright[0]) == (azimuth > 0)
    assert (bright[0] > 1.2 * bright[1]) == (azimuth < 0)


def test_light_from_above_shades_the_neck_and_light_from_below_does_not():
    above, below = (render(scene(light=Light(0, e, 1.0, 0.2)), SIZE) for e in (50, -20))
    row, column = above.landmarks[8, ::-1].astype(int) + [4, 0]
    assert below.image[row, column].sum() > 1.3 * above.image[row, column].sum()


def test_a_far_side_is_hidden_and_the_near_one_seen():
    turned = render(
        Scene(12, attributes=attributes.complete(12, PLAIN), pose=Pose(yaw=80), camera=camera.centred()), SIZE
    )
    # The nose points to the image's right, so that the person's right side, image left, faces the camera.
    assert turned.landmarks_visible[[36, 37, 40, 41, 31]].all()
    assert not turned.landmarks_visible[[42, 43, 44, 45, 46, 47, 13, 14, 15]].any()


def test_an_occluder_hides_points_and_shows_in_its_own_mask_only():
    bare, worn = render(scene(), SIZE), render(scene(occluder=Occluder("sunglasses", 1)), SIZE)
    np.testing.assert_array_equal(bare.mask, worn.mask)
    np.testing.assert_array_equal(bare.landmarks, worn.landmarks)
    assert (worn.occluder > 0).any()
    assert worn.landmarks_visible[36:48].mean() < 0.3
    assert worn.landmarks_visible[48:68].all()
    nearby = worn.occluder > 0
    assert change(bare, worn)[nearby].mean() > 5 * max(change(bare, worn)[~nearby].mean(), 0.1)


@pytest.mark.parametrize("name", conventions.ACTION_UNITS)
def test_every_unit_is_visible(name):
    neutral, moved = render(scene(), SIZE), render(scene(action_units=action_units(**{name: 5})), SIZE)
    face = neutral.mask > 0
    assert (change(neutral, moved)[face] > 15).sum() > 30


def test_mouth_shows_teeth_and_closed_eyes_hide_the_white():
    smile = render(scene(action_units=action_units(AU12=5, AU25=5), looks={**PLAIN, "Wearing_Lipstick": 1}), 192)
    mouth = smile.landmarks[60:68]
    left, top, right, bottom = *mouth.min(0).astype(int), *mouth.max(0).astype(int)
    patch = smile.image[top : bottom + 1, left + 8 : right - 8].astype(int)
    assert (np.ptp(patch, axis=2) < 50).any() and patch.max() > 110  # something pale and colourless between red lips
    opened, closed = render(scene(), 192), render(scene(action_units=action_units(AU45=5)), 192)
    eye = opened.landmarks[36:42]
    rows, columns = slice(*eye[[1, 5], 1].astype(int)), slice(*eye[[0, 3], 0].astype(int))
    assert opened.image[rows, columns].std() > 1.5 * closed.image[rows, columns].std()


def test_labels_do_not_depend_on_the_size_of_the_picture():
    small, large = render(scene(), 64), render(scene(), 192)
    np.testing.assert_allclose(small.landmarks * 3, large.landmarks, atol=1e-3)
    thinned = large.image.reshape(64, 3, 64, 3, 3).mean((1, 3))
    assert np.abs(thinned - small.image).mean() < 4
    assert np.abs(render(scene(), 64, supersample=1).image.astype(int) - small.image).mean() < 6


def test_unknown_kinds_are_named():
    with pytest.raises(InputError, match="moon"):
        render(scene(background=Background("moon")), 32)
    with pytest.raises(InputError, match="cat"):
        render(scene(occluder=Occluder("cat")), 32)


def test_srgb_encoding():
    np.testing.assert_array_equal(to_srgb(np.array([-1.0, 0.0, 0.2140, 0.5, 9.0])), [0, 0, 127, 188, 255])


@st.composite
def scenes(draw):
    identity = draw(st.integers(0, 10**12))
    asked = draw(st.dictionaries(st.sampled_from(ATTRIBUTES), st.integers(0, 1), max_size=4))
    number = st.floats(0, 1, width=32)
    angle = st.integers(-90, 90)
    try:
        looks = attributes.complete(identity, asked)
    except InputError:  # two hair colours, a bald head with bangs
        looks = attributes.default_attributes(identity)
    return Scene(
        identity,
        draw(st.tuples(*[st.sampled_from([0, 0, 2.5, 5])] * 17)),
        looks,
        Pose(draw(angle), draw(angle) / 2, draw(angle) / 2),
        Light(draw(angle), draw(angle), 1.5 * draw(number), draw(number)),
        Camera(0.25 + 0.3 * draw(number), draw(number) - 0.5, draw(number) - 0.5, 5 + 40 * draw(number)),
        Background(draw(st.sampled_from(background.KINDS)), draw(st.integers(0, 2**31))),
        draw(st.none() | st.builds(Occluder, st.sampled_from(props.OCCLUDERS), st.integers(0, 2**31))),
    )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(scenes())
def test_any_scene_has_a_picture_and_finite_labels(one):
    result = render(Scene.from_json(one.to_json()), 40)
    assert np.isfinite(result.landmarks).all()
    assert (np.isfinite(result.depth) | (result.mask == 0)).all()
    assert result.depth[result.mask > 0].min(initial=9) > 0
    assert result.image.std() > 0
    assert set(np.unique(result.landmarks_visible)) <= {0, 1}
