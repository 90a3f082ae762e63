"""Marks edited pictures as edited: a small visible label and metadata that other tools read, and reads it back.

The metadata names IPTC's digital source type for a photo composed with a trained model, which is what browsers, stock
agencies and the C2PA vocabulary look for. Metadata is lost when a platform re-encodes a picture; the label is not.
"""

import dataclasses
import json
import pathlib
import re
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFont

import tfface
from tfface.errors import InputError
from tfface.images import Metadata

LABEL = "AI-edited"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_NAMESPACE = "urn:tfface:edit:1"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_SHORTEST_TEXT, _TEXT_SHARE = 10, 0.028  # label height in pixels, and as a share of the picture's geometric mean side


@dataclasses.dataclass(frozen=True)
class Edit:
    """What was done to a picture."""

    model: str  # such as "ganimation"
    run: str  # name of the run directory
    edit: str  # such as "face 1: AU12=0.8"
    source: str = ""  # file name of the photo
    version: str = tfface.__version__


def metadata(edit):
    """Returns the `Metadata` that `tfface.images.write_image` stores for an `Edit`."""
    software = f"tfface {edit.version}"
    description = f"{LABEL} with {software}: {json.dumps(dataclasses.asdict(edit), ensure_ascii=True)}"
    own = " ".join(f"tfface:{name}={quoteattr(value)}" for name, value in dataclasses.asdict(edit).items())
    xmp = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        f'xmlns:Iptc4xmpExt="{_IPTC}" xmlns:tfface="{_NAMESPACE}" xmp:CreatorTool={quoteattr(software)} '
        f'Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}" {own}/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )
    return Metadata(software=software, description=description, xmp=xmp)


def read(path):
    """Returns the `Edit` stored in a picture, or None if it holds none. Raises `InputError` if it is no picture."""
    try:
        with Image.open(path) as image:
            image.load()
            xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
            exif = image.getexif()
            xmp = xmp or exif.get(ExifTags.Base.XMLPacket, b"")
            plain = str(exif.get(ExifTags.Base.ImageDescription, "")), _text(image.info.get("comment", ""))
    except (OSError, ValueError, SyntaxError):
        raise InputError(f"{pathlib.Path(path)}: cannot be read as a picture; check the path") from None
    return _from_xmp(_text(xmp)) or next((edit for text in plain if (edit := _from_text(text))), None)


def add_label(pixels, avoid=(), dark=None):
    """Draws the "AI-edited" label into a corner.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        avoid: boxes (left, top, right, bottom) of faces: the corner that covers least of them is taken, the lower
            right one if none does.
        dark: whether the label's plate is dark; None decides by what lies under it, see `plate_is_dark`.

    Returns:
        a labelled copy, and the label's box (left, top, right, bottom); nothing outside the box is changed.
    """
    height, width = pixels.shape[:2]
    image = Image.fromarray(pixels)
    box, label, font, text_box, pad = _place(width, height, avoid)
    left, top = box[:2]
    # A dark plate on dark surroundings, a light one on light: it disturbs least, and the text contrasts with the plate.
    dark = _is_dark(pixels, box) if dark is None else dark
    plate = Image.new("RGB", label, (16, 16, 16) if dark else (240, 240, 240))
    image.paste(Image.blend(image.crop(box), plate, 0.75), box)
    ink = (255, 255, 255) if dark else (0, 0, 0)
    ImageDraw.Draw(image).text((left + pad - text_box[0], top + pad - text_box[1]), LABEL, font=font, fill=ink)
    if box != (0, 0, width, height):  # text that is too large for a tiny picture stays inside the label's box
        whole = pixels.copy()
        whole[top : box[3], left : box[2]] = np.asarray(image)[top : box[3], left : box[2]]
        return whole, box
    return np.asarray(image), box


def plate_is_dark(pixels, avoid=()):
    """Returns whether `add_label` takes a dark plate; a clip asks once, or it would change from frame to frame."""
    height, width = pixels.shape[:2]
    return _is_dark(pixels, _place(width, height, avoid)[0])


def _is_dark(pixels, box):
    return bool(pixels[box[1] : box[3], box[0] : box[2]].mean() < 128)


def _place(width, height, avoid):
    """Returns the label's box and size, its font, the text's box and the padding around it, in pixels."""
    font, text_box, pad = _fit(width, height)
    label = (text_box[2] - text_box[0] + 2 * pad, text_box[3] - text_box[1] + 2 * pad)
    label = min(label[0], width), min(label[1], height)
    margin = min(pad, (width - label[0]) // 2, (height - label[1]) // 2)
    corners = [(x, y) for y in (height - label[1] - margin, margin) for x in (width - label[0] - margin, margin)]
    left, top = min(corners, key=lambda corner: sum(_shared((*corner, *label), box) for box in avoid))
    return (left, top, left + label[0], top + label[1]), label, font, text_box, pad


def _fit(width, height):
    """The largest fitting font, its text box and the padding around it, in pixels."""
    size = max(_SHORTEST_TEXT, round(_TEXT_SHARE * (width * height) ** 0.5))
    while True:
        font = ImageFont.load_default(size)
        box = tuple(int(side) for side in font.getbbox(LABEL))
        pad = max(2, size // 4)
        if box[2] - box[0] + 2 * pad <= width or size <= 5:
            return font, box, pad
        size -= 1


def _shared(label, box):
    left, top, width, height = label
    across = min(left + width, box[2]) - max(left, box[0])
    down = min(top + height, box[3]) - max(top, box[1])
    return max(0, across) * max(0, down)


def _text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _from_xmp(text):
    start, end = text.find("<x:xmpmeta"), text.find("</x:xmpmeta>")
    if start < 0 or end < 0:
        return None
    try:
        root = ElementTree.fromstring(text[start : end + len("</x:xmpmeta>")])
    except ElementTree.ParseError:
        return None
    names = [field.name for field in dataclasses.fields(Edit)]
    for element in root.iter():
        values = {name: element.get(f"{{{_NAMESPACE}}}{name}") for name in names}
        if None not in values.values():
            return Edit(**values)
    return None


def _from_text(text):
    match = re.search(re.escape(LABEL) + r" with tfface [^:]*: (\{.*\})", text)
    try:
        return Edit(**json.loads(match[1])) if match else None
    except (ValueError, TypeError):
        return None
