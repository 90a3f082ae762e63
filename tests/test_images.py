"""Photos of every kind come in upright and right, go out whole, and bad ones cost one clear line."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from skimage import data

from tfface import images
from tfface.errors import InputError

PICTURE = cv2.resize(data.astronaut()[:300, 100:340], (80, 100), interpolation=cv2.INTER_AREA)


def save(tmp_path, image, name="photo.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_round_trip(tmp_path, orientation):
    # What a camera stores for an upright scene: the transposition that its orientation tag undoes.
    stored = {
        1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud,
        5: lambda x: x.transpose(1, 0, 2), 6: np.rot90, 7: lambda x: np.rot90(x, 2).transpose(1, 0, 2),
        8: lambda x: np.rot90(x, -1),
    }[orientation](PICTURE)  # fmt: skip
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Camera"
    path = save(tmp_path, Image.fromarray(np.ascontiguousarray(stored)), exif=exif)
    photo = images.read_photo(path)
    np.testing.assert_array_equal(photo.pixels, PICTURE)
    images.write_image(tmp_path / "again.png", photo.pixels, like=photo)
    np.testing.assert_array_equal(images.read_image(tmp_path / "again.png"), PICTURE)
    with Image.open(tmp_path / "again.png") as again:
        assert again.getexif()[0x010F] == "Camera"
        assert 0x0112 not in again.getexif()


def test_grey_palette_bilevel_and_cmyk(tmp_path):
    grey = np.array(Image.fromarray(PICTURE).convert("L"))
    read = images.read_image(save(tmp_path, Image.fromarray(grey), "grey.png"))
    np.testing.assert_array_equal(read, np.repeat(grey[..., None], 3, 2))
    palette = Image.fromarray(PICTURE).quantize(64)
    read = images.read_image(save(tmp_path, palette, "palette.png"))
    np.testing.assert_array_equal(read, np.array(palette.convert("RGB")))
    read = images.read_image(save(tmp_path, Image.fromarray(grey).convert("1"), "bilevel.png"))
    assert set(np.unique(read)) == {0, 255}
    cmyk = save(tmp_path, Image.fromarray(PICTURE).convert("CMYK"), "cmyk.jpg", quality=100)
    assert np.abs(images.read_image(cmyk).astype(int) - PICTURE).mean() < 4
    damaged = save(tmp_path, Image.fromarray(PICTURE).convert("CMYK"), "profile.jpg", quality=100, icc_profile=b"none")
    assert np.abs(images.read_image(damaged).astype(int) - PICTURE).mean() < 4


def test_sixteen_bits(tmp_path):
    grey = np.arange(0, 65536, 256, np.uint16).reshape(16, 16)
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    expected = np.rint(grey / 257).astype(np.uint8)
    np.testing.assert_array_equal(images.read_image(tmp_path / "grey.png"), np.repeat(expected[..., None], 3, 2))
    cv2.imwrite(str(tmp_path / "rgb.png"), PICTURE[..., ::-1].astype(np.uint16) * 257)
    np.testing.assert_array_equal(images.read_image(tmp_path / "rgb.png"), PICTURE)


def test_transparency_is_white_to_read_and_kept_to_write(tmp_path):
    alpha = np.tile(np.linspace(0, 255, 80).astype(np.uint8), (100, 1))
    photo = images.read_photo(save(tmp_path, Image.fromarray(np.dstack([PICTURE, alpha]))))
    np.testing.assert_array_equal(photo.pixels, PICTURE)
    np.testing.assert_array_equal(photo.alpha, alpha)
    assert (photo.visible[:, 0] == 255).all()
    np.testing.assert_array_equal(photo.visible[:, -1], PICTURE[:, -1])
    images.write_image(tmp_path / "again.png", photo.pixels, like=photo)
    again = images.read_photo(tmp_path / "again.png")
    np.testing.assert_array_equal(np.dstack([again.pixels, again.alpha]), np.dstack([PICTURE, alpha]))
    images.write_image(tmp_path / "again.jpg", photo.pixels, like=photo)
    assert (images.read_image(tmp_path / "again.jpg")[:, 0] > 245).all()
    opaque = save(tmp_path, Image.fromarray(PICTURE).convert("RGBA"), "opaque.png")
    assert images.read_photo(opaque).alpha is None


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.fromarray(PICTURE), Image.fromarray(255 - PICTURE)]
    path = save(tmp_path, frames[0], "moving.webp", save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(images.read_image(path), PICTURE)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_colour_profile_and_exif_survive(tmp_path, suffix):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x8298], exif[0x0112] = "(c) somebody", 3
    exif.get_ifd(0x8769)[0x9003] = "2020:01:02 03:04:05"
    like = images.read_photo(
        save(tmp_path, Image.fromarray(PICTURE), f"from{suffix}", exif=exif.tobytes(), icc_profile=profile)
    )
    images.write_image(tmp_path / f"to{suffix}", like.pixels, like=like)
    with Image.open(tmp_path / f"to{suffix}") as again:
        assert again.info["icc_profile"] == profile
        assert again.getexif()[0x8298] == "(c) somebody"
        assert again.getexif().get_ifd(0x8769)[0x9003] == "2020:01:02 03:04:05"
        assert again.getexif().get(0x0112, 1) == 1


def test_grey_profile_is_not_put_on_colour(tmp_path):
    path = save(tmp_path, Image.fromarray(PICTURE).convert("LA"), icc_profile=b"of grey pixels")
    assert images.read_photo(path).icc_profile is None


def test_fifty_megapixels_and_beyond(tmp_path):
    path = save(tmp_path, Image.new("L", (10000, 5000), 200), "large.png", compress_level=1)
    assert images.read_image(path).shape == (5000, 10000, 3)
    header = io.BytesIO()
    Image.new("L", (20000, 1)).save(header, "PNG")
    raw = bytearray(header.getvalue())
    for rows, expected in ((5000, "100 megapixels, at most 80"), (50000, "megapixels, at most 80")):
        raw[20:24] = rows.to_bytes(4, "big")  # only the header's height: nothing may be decoded
        raw[29:33] = __import__("zlib").crc32(raw[12:29]).to_bytes(4, "big")
        (tmp_path / "huge.png").write_bytes(raw)
        with pytest.raises(InputError, match=expected):
            images.read_image(tmp_path / "huge.png")


def test_bad_files_cost_one_line(tmp_path):
    whole = save(tmp_path, Image.fromarray(PICTURE), "whole.jpg").read_bytes()
    bad = {
        "missing.png": None,
        "empty.jpg": b"",
        "text.jpg": b"hello",
        "short.jpg": whole[: len(whole) // 2],
        "a.png": b"\x89PNG\r\n\x1a\n",
    }
    for name, content in bad.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError) as error:
            images.read_image(tmp_path / name)
        assert name in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(InputError, match="directory"):
        images.read_image(tmp_path)
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(InputError, match="floating-point"):
        images.read_image(tmp_path / "float.tif")


@settings(max_examples=60, deadline=None)
@given(
    position=st.integers(0, 3000),
    length=st.integers(1, 60),
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["PNG", "JPEG", "WEBP"]),
)
def test_damaged_bytes_never_raise_anything_else(tmp_path_factory, position, length, seed, kind):
    stream = io.BytesIO()
    Image.fromarray(PICTURE).save(stream, kind)
    raw = bytearray(stream.getvalue())
    position %= len(raw)
    noise = np.random.default_rng(seed).integers(0, 256, length, np.uint8).tobytes()
    raw[position : position + length] = noise
    path = tmp_path_factory.mktemp("damaged") / "photo"
    path.write_bytes(raw)
    try:
        assert images.read_image(path).dtype == np.uint8
    except InputError as error:
        assert "\n" not in str(error)


def test_nothing_half_written(tmp_path):
    with pytest.raises(RuntimeError), images.atomic(tmp_path / "out.bin") as stream:
        stream.write(b"half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="end its name in"):
        images.write_image(tmp_path / "out.doc", PICTURE)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        images.write_image(tmp_path / "file" / "out.png", PICTURE)


def test_list_images(tmp_path):
    for name in ("in/b.png", "in/sub/a.JPG", "in/note.txt", "in/out/done.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = images.list_images([tmp_path / "in", tmp_path / "else.xyz"], tmp_path / "in/out")
    assert [str(name) for _, name in found] == ["b.png", "sub/a.JPG", "else.xyz"]
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="holds no picture"):
        images.list_images([tmp_path / "nothing"], tmp_path)
    with pytest.raises(InputError, match="no photo given"):
        images.list_images([], tmp_path)


def test_warp_identity_and_shrinking():
    np.testing.assert_array_equal(images.warp(PICTURE, np.eye(2, 3), (80, 100)), PICTURE)
    # A fine checkerboard shrinks to even grey; without prefiltering it would turn into a coarse pattern.
    board = np.indices((512, 512)).sum(0).astype(np.uint8) % 2 * 255
    turned = cv2.getRotationMatrix2D((256, 256), 10, 0.2)
    turned[:, 2] -= 206
    inner = images.warp(board, turned, 100)[30:70, 30:70]
    assert inner.std() < 3 and abs(inner.mean() - 127.5) < 2


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.3, 3), angle=st.floats(-180, 180), x=st.floats(-20, 20), y=st.floats(-20, 20))
def test_warp_puts_points_where_the_matrix_says(scale, angle, x, y):
    y_grid, x_grid = np.mgrid[:200, :200] + 0.5
    smooth = np.stack([x_grid, y_grid], -1).astype(np.float32)  # each pixel holds its own position
    c, s = np.cos(np.deg2rad(angle)) * scale, np.sin(np.deg2rad(angle)) * scale
    matrix = np.array([[c, -s, 0], [s, c, 0]])
    matrix[:, 2] = np.array([30 + x, 30 + y]) - matrix[:, :2] @ (100, 100)
    seen = images.warp(smooth, matrix, 60)
    places = np.stack(np.meshgrid(np.arange(60) + 0.5, np.arange(60) + 0.5), -1)
    expected = (places - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    inside = ((expected > 12) & (expected < 188)).all(-1)
    # OpenCV places pixels in steps of 1/32 and averages unevenly at odd ratios.
    assert np.abs(seen - expected)[inside].max() < 0.15 / min(scale, 1)
