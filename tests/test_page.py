import base64
import html.parser
import re

import cv2
import numpy as np

from tfface import page

VOID = {"meta", "img"}


class Checker(html.parser.HTMLParser):
    """Fails on tags that do not close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check(text):
    """Returns the tags of a page in order, all of which close."""
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert not checker.open
    return checker.seen


def test_a_page_is_whole_and_escaped():
    table = page.table(["<b>", "score"], [("a & b", 0.12345), ("none", None), ("not a number", float("nan"))])
    text = page.document("ROC & <curve>", [page.heading("x < y"), page.paragraph("p"), table])
    assert check(text)[:6] == ["html", "head", "meta", "title", "style", "body"]
    for part in ("<th>&lt;b&gt;</th>", "<td>a &amp; b</td><td>0.123</td>", "<td>none</td><td>–</td>", "x &lt; y"):
        assert part in text
    assert text.count("<td>–</td>") == 2 and "ROC &amp; &lt;curve&gt;" in text


def test_bars_are_as_long_as_their_numbers():
    svg = page.bars([("AU01", {"edit": 0.5, "oracle": 1.5}), ("AU02", {"edit": -0.2, "oracle": None})], form=".2f")
    assert check(svg)[0] == "svg"
    bars = re.findall(r'x="48" y="[\d.]+" width="([\d.]+)" height="9"', svg)
    assert [float(width) / 420 for width in bars] == [0.5, 1.0, 0, 0]
    assert re.findall(r">([^<]+)</text>", svg) == ["edit", "oracle", "AU01", "0.50", "1.50", "AU02", "-0.20", "–"]


def test_a_figure_holds_its_pictures():
    red, wide = np.zeros((4, 4, 3), np.uint8), np.full((4, 8, 3), 255, np.uint8)
    red[..., 0] = 200
    text = page.figure([red, wide], 'best: "x"', size=8)
    assert check(text) == ["figure", "img", "figcaption"]
    data = base64.b64decode(re.search(r"base64,([^\"]+)", text)[1])
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert shown.shape == (8, 24, 3)
    assert shown[0, 0].tolist() == [200, 0, 0] and shown[7, 23].tolist() == [255, 255, 255]
