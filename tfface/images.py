"""Reads photos of any kind into upright RGB arrays, writes them back whole, and resamples without aliasing.

Every reading problem is an `InputError` of one line; every write goes to a temporary file that is renamed when it is
complete, so that no half-written picture is ever left behind. No TensorFlow.
"""

import contextlib
import dataclasses
import io
import os
import pathlib
import struct
import tempfile
import warnings

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from tfface.errors import InputError

LARGEST = 80_000_000  # pixels; three float32 copies of that still fit a small machine
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".bmp": "BMP", ".tif": "TIFF",
            ".tiff": "TIFF", ".gif": "GIF"}  # fmt: skip
# What an edited photo keeps of its EXIF. Not the orientation (the pixels are upright by then), not what describes the
# file's own layout, and nothing that may hold a small copy of the unedited picture.
_KEPT_EXIF = tuple(
    getattr(ExifTags.Base, name)
    for name in ("ImageDescription", "Make", "Model", "Software", "DateTime", "Artist", "HostComputer", "Copyright")
)
_DROPPED_DIRECTORY_EXIF = (ExifTags.Base.MakerNote, ExifTags.Base.ExifInteroperabilityOffset)
_BORDERS = {"reflect": cv2.BORDER_REFLECT_101, "black": cv2.BORDER_CONSTANT}


@dataclasses.dataclass(frozen=True)
class Photo:
    """A photo as read: upright pixels and what must survive an edit."""

    path: pathlib.Path
    pixels: np.ndarray  # (H, W, 3) uint8 RGB, as stored: under transparency whatever the file holds there
    alpha: np.ndarray | None = None  # (H, W) uint8
    icc_profile: bytes | None = None
    exif: bytes | None = None  # without orientation, layout and thumbnails

    @property
    def visible(self):
        """(H, W, 3) uint8: the pixels as seen on white paper."""
        if self.alpha is None:
            return self.pixels
        alpha = self.alpha[..., None].astype(np.float32) / 255
        return np.rint(self.pixels * alpha + 255 * (1 - alpha)).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Metadata:
    """Text to store in a written picture: one line each of plain text, and an XMP packet."""

    software: str
    description: str
    xmp: str


def read_image(path):
    """Returns (H, W, 3) uint8 RGB: upright, first frame, transparency on white. Raises `InputError`."""
    return read_photo(path).visible


def read_photo(path):
    """Reads any picture that Pillow knows: grey, palette, RGBA, CMYK, 16 bits, animated (its first frame).

    Args:
        path: a file of at most `LARGEST` pixels.

    Returns:
        `Photo`, upright whatever its EXIF orientation.

    Raises:
        InputError: missing, empty, broken, truncated, too large or not a picture.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a directory, expected a picture")
    try:
        size = path.stat().st_size
    except OSError:
        raise InputError(f"{path}: no such file; check the path") from None
    if not size:
        raise InputError(f"{path}: is empty (0 bytes), expected a picture; copy or download it again")
    try:
        with warnings.catch_warnings():
            # Our own limit speaks in one clear line; Pillow's are a warning and, from there on, an exception.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                _check_size(path, image)
                image.load()
                return _photo(path, image)
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise InputError(_too_large(path, "far more")) from None
    except UnidentifiedImageError:
        known = "PNG, JPEG, WebP, TIFF, BMP or GIF"
        raise InputError(f"{path}: is not a picture in a known format; expected {known}") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be read ({reason}); it seems damaged, copy or download it again") from None


def write_image(path, pixels, like=None, metadata=None):
    """Writes a picture, in the format its suffix names, under a temporary name that is renamed when complete.

    Args:
        path: .png .jpg .jpeg .webp .bmp .tif .tiff or .gif; missing folders are made.
        pixels: (H, W, 3) uint8 RGB.
        like: the `Photo` it was made from: its transparency (on white where the format has none), colour profile and
            EXIF are written too.
        metadata: optional `Metadata`, stored in every way the format has (nothing in BMP).
    """
    path = pathlib.Path(path)
    kind = format_of(path)
    pixels = np.ascontiguousarray(pixels)
    if like is not None and like.alpha is not None:
        if kind in ("JPEG", "BMP"):
            pixels = dataclasses.replace(like, pixels=pixels).visible
        else:
            pixels = np.dstack([pixels, like.alpha])
    options = _options(kind, like, metadata)
    with atomic(path) as stream:
        Image.fromarray(pixels).save(stream, kind, **options)


def list_images(inputs, output):
    """Returns [(path, name)] of photos named one by one and of those in folders, at any depth.

    Args:
        inputs: files and folders; a file is taken whatever its suffix.
        output: folder or file that is being written: what lies in that folder is not an input.

    Returns:
        the files in a fixed order, each with its name relative to the folder that was given.

    Raises:
        InputError: a folder without pictures, or nothing given.
    """
    found, output = [], pathlib.Path(output).resolve()
    for given in map(pathlib.Path, inputs):
        if not given.is_dir():
            found.append((given, pathlib.Path(given.name)))
            continue
        inside = [path for path in sorted(given.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file()]
        inside = [path for path in inside if output not in path.resolve().parents]
        if not inside:
            raise InputError(f"{given}: holds no picture ({' '.join(SUFFIXES)}); name another folder")
        found += [(path, path.relative_to(given)) for path in inside]
    if not found:
        raise InputError("no photo given: name a picture or a folder of them")
    return found


def format_of(path):
    """Returns Pillow's name of the format that the suffix of `path` asks for. Raises `InputError`."""
    kind = _FORMATS.get(pathlib.Path(path).suffix.lower())
    if kind is None:
        raise InputError(f"{path}: cannot be written as a picture; end its name in one of {' '.join(SUFFIXES)}")
    return kind


@contextlib.contextmanager
def atomic(path):
    """Yields a binary stream whose content appears under `path` at once when the block ends well, or not at all."""
    path = pathlib.Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another output") from None
    try:
        with stream:
            yield stream
        os.chmod(stream.name, 0o666 & ~_umask())
        os.replace(stream.name, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); choose another output") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(stream.name)


def warp(image, matrix, size, border="reflect"):
    """Resamples `image` through a 2x3 similarity transform, averaging over areas where it shrinks (no aliasing).

    Args:
        image: (H, W) or (H, W, C) array, uint8 or float32.
        matrix: 2x3 from `image` to output pixels, pixel centres at integers + 0.5 in both.
        size: side of the square output, or (width, height).
        border: what lies outside `image`: "reflect" or "black" (zeros).

    Returns:
        (height, width[, C]) array of the same type.
    """
    matrix = np.asarray(matrix, np.float64)
    size = (size, size) if np.isscalar(size) else tuple(size)
    image, matrix = _cut(image, matrix, size)
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if scale < 1:
        # First to exact area averages at (just above) the final scale, then a cubic step that changes no scale.
        height, width = image.shape[:2]
        small = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        matrix = matrix @ np.array([[width / small[0], 0, 0], [0, height / small[1], 0], [0, 0, 1]])
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2].sum(1) * 0.5 - 0.5
    return cv2.warpAffine(image, shifted, size, flags=cv2.INTER_CUBIC, borderMode=_BORDERS[border])


def _cut(image, matrix, size):
    """Cuts away what the output cannot see, so that a small face of a large photo costs little."""
    inverse = np.linalg.inv(matrix[:, :2])
    corners = (np.array([[0, 0], [size[0], 0], [0, size[1]], size]) - matrix[:, 2]) @ inverse.T
    reach = 4 + 4 / np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    height, width = image.shape[:2]
    left, top = np.floor(corners.min(0) - reach).astype(int)
    right, bottom = np.ceil(corners.max(0) + reach).astype(int)
    if left < 0 or top < 0 or right > width or bottom > height:
        return image, matrix  # the border is seen: it must be that of the whole picture
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (left, top)
    return image[top:bottom, left:right], moved


def _check_size(path, image):
    if image.width * image.height > LARGEST:
        raise InputError(_too_large(path, f"{image.width}x{image.height} = {image.width * image.height / 1e6:.0f}"))


def _too_large(path, count):
    return f"{path}: has {count} megapixels, at most {LARGEST / 1e6:.0f} can be edited; make it smaller first"


def _photo(path, image):
    exif = image.getexif()
    # A profile is for the channels the file has: that of grey or CMYK pixels says nothing about RGB ones.
    icc = image.info.get("icc_profile")
    rgb_icc = icc if image.mode in ("RGB", "RGBA", "RGBa", "P", "PA") else None
    upright = ImageOps.exif_transpose(image)
    alpha = None
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        upright = upright.convert("RGBA")
        alpha = np.array(upright.getchannel("A"))
        alpha = None if (alpha == 255).all() else alpha
        pixels = np.array(upright)[..., :3]
    elif image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        pixels = np.array(_to_srgb(upright, icc))
    elif image.mode.startswith("I"):
        grey = (np.array(upright).clip(0, 65535) / 257 + 0.5).astype(np.uint8)
        pixels = np.repeat(grey[..., None], 3, axis=2)
    elif image.mode == "F":
        raise InputError(f"{path}: holds floating-point pixels of unknown range; save it with 8 or 16 bits")
    else:
        pixels = np.array(upright.convert("RGB"))
    return Photo(path, np.ascontiguousarray(pixels), alpha, rgb_icc, _clean(exif))


def _to_srgb(image, icc):
    if icc and image.mode == "CMYK":
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return image.convert("RGB")


def _clean(exif):
    """EXIF bytes of what is kept; None if that is nothing or the EXIF is damaged."""
    kept = Image.Exif()
    try:
        kept.update({tag: exif[tag] for tag in _KEPT_EXIF if tag in exif})
        for offset in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            directory = {
                tag: value for tag, value in exif.get_ifd(offset).items() if tag not in _DROPPED_DIRECTORY_EXIF
            }
            if directory:
                kept[int(offset)] = directory
        return kept.tobytes() if len(kept) else None
    except Exception:  # noqa: BLE001 - Pillow raises anything here; a photo with odd EXIF is still a photo
        return None


def _options(kind, like, metadata):
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95, "method": 4}}.get(kind, {})
    exif = Image.Exif()
    if like is not None:
        if like.exif:
            exif.load(like.exif)
        if like.icc_profile and kind in ("PNG", "JPEG", "WEBP", "TIFF"):
            options["icc_profile"] = like.icc_profile
    if metadata is not None:
        exif[ExifTags.Base.Software] = metadata.software
        if ExifTags.Base.ImageDescription not in exif:  # the photographer's own words stay
            exif[ExifTags.Base.ImageDescription] = metadata.description.encode("ascii", "replace").decode()
        if kind == "PNG":
            options["pnginfo"] = text = PngImagePlugin.PngInfo()
            text.add_text("Software", metadata.software)
            text.add_itxt("Description", metadata.description)
            text.add_itxt("XML:com.adobe.xmp", metadata.xmp)
        elif kind in ("JPEG", "WEBP"):
            options["xmp"] = metadata.xmp.encode()
        elif kind == "TIFF":
            exif[ExifTags.Base.XMLPacket] = metadata.xmp.encode()
        elif kind == "GIF":
            options["comment"] = f"{metadata.software}; {metadata.description}".encode()
    if len(exif) and kind in ("PNG", "JPEG", "WEBP", "TIFF"):
        options["exif"] = exif.tobytes()
    return options


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
