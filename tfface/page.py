"""Pieces of an HTML page that stands alone: tables, bars, pictures. No script, nothing fetched, every text escaped."""

import base64
import html
import math

import cv2
import numpy as np

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .25rem .8rem; border-bottom: 1px solid #ddd; text-align: right }
th:first-child, td:first-child { text-align: left }
figure { display: inline-block; margin: .5rem 1rem .5rem 0; vertical-align: top }
figcaption { font-size: 13px; color: #555; max-width: 25rem }
img, svg { max-width: 100% }
pre { background: #f5f5f5; padding: .6rem; overflow-x: auto }
"""
COLORS = ("#2a6fb0", "#b9c7d6", "#d98a3d", "#5b9a68")  # of the first, second, ... series of bars
_ROW, _BAR, _LETTER, _WIDTH, _NUMBER = 26, 9, 8, 420, 50


def document(title, parts):
    """Returns the whole page of a title and a list of HTML parts."""
    head = f'<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n<style>{STYLE}</style>'
    body = "\n".join([f"<h1>{html.escape(title)}</h1>", *parts])
    return f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n'


def paragraph(text):
    return f"<p>{html.escape(text)}</p>"


def heading(text):
    return f"<h2>{html.escape(text)}</h2>"


def number(value, form=".3f"):
    """Returns a number as text, a dash where there is none; texts stay as they are."""
    if isinstance(value, str):
        return value
    return "–" if value is None or math.isnan(value) else f"{value:{form}}"


def table(head, rows, form=".3f"):
    """Returns a table of column titles and rows of texts and numbers (None: a dash)."""
    lines = ["<tr>" + "".join(f"<th>{html.escape(title)}</th>" for title in head) + "</tr>"]
    for row in rows:
        lines.append("<tr>" + "".join(f"<td>{html.escape(number(cell, form))}</td>" for cell in row) + "</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def bars(rows, high=1.0, form=".2f"):
    """Returns horizontal bars as an SVG picture.

    Args:
        rows: ``[(label, {series: number or None}), ...]`` with the same series in each.
        high: the number of a full bar; bars begin at 0, and what lies outside is cut off (its number is not).
        form: of the numbers.
    """
    series = list(rows[0][1])
    step = max(_ROW, len(series) * (_BAR + 2) + 6)
    height = _ROW + step * len(rows)
    left = 16 + _LETTER * max(len(label) for label, _ in rows)
    parts = []
    for n, name in enumerate(series):
        x = left + 110 * n
        parts.append(f'<rect x="{x}" y="6" width="12" height="12" fill="{COLORS[n]}"/>')
        parts.append(_text(x + 17, 16, name))
    for r, (label, values) in enumerate(rows):
        top = _ROW + r * step
        parts.append(_text(left - 8, top + step / 2 + 4, label, "end"))
        for n, name in enumerate(series):
            value, y = values[name], top + 3 + n * (_BAR + 2)
            known = value is not None and not math.isnan(value)
            width = _WIDTH * min(max(value / high, 0), 1) if known else 0
            parts.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{COLORS[n]}"/>')
            parts.append(_text(left + width + 5, y + _BAR - 1, number(value, form), size=10))
    width = left + _WIDTH + _NUMBER
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'{head} font-family="system-ui, sans-serif">{"".join(parts)}</svg>'


def _text(x, y, text, anchor="start", size=12):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{html.escape(text)}</text>'


def image(data, alt=""):
    """Returns an <img> that holds the bytes of a PNG file."""
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{base64.b64encode(data).decode()}">'


def figure(pictures, caption, size=128):
    """Returns uint8 RGB pictures side by side, each `size` pixels high, over a caption."""
    shown = [
        cv2.resize(p, (round(size * p.shape[1] / len(p)), size), interpolation=cv2.INTER_NEAREST) for p in pictures
    ]
    _, data = cv2.imencode(".png", np.ascontiguousarray(cv2.hconcat(shown)[..., ::-1]))
    return f"<figure>{image(data.tobytes(), caption)}<figcaption>{html.escape(caption)}</figcaption></figure>"
