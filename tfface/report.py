"""The HTML page of an evaluation: numbers, best, median and worst edits, and the last sample grid, in one file."""

import base64
import html
from pathlib import Path

import cv2

from tfface import config

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .25rem .8rem; border-bottom: 1px solid #ddd; text-align: right }
th:first-child, td:first-child { text-align: left }
figure { display: inline-block; margin: .5rem 1rem .5rem 0 }
figcaption { font-size: 13px; color: #555; max-width: 25rem }
img { max-width: 100% }
pre { background: #f5f5f5; padding: .6rem; overflow-x: auto }
"""


def write(path, run, scores, gallery, grid):
    """Writes the page, complete or not at all.

    Args:
        path: pathlib.Path of the HTML file.
        run: the `training.Run`.
        scores: content of metrics.json.
        gallery: ``[(caption, case), ...]`` of `evaluation`.
        grid: path of a sample grid, or None.
    """
    title = f"{run.model} ({run.settings.preset}), step {scores['step']}"
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>",
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{scores['people']} held-out people. <em>Edit</em> is the model's picture, <em>copy</em> the unedited "
        "one; both are compared with the true picture, the same scene rendered with the asked action units.</p>",
        _table(scores),
    ]
    if scores["attention"]:
        a = scores["attention"]
        parts.append(
            f"<p>Attention (1 keeps the input): mean {a['mean']:.3f}, {a['low']:.1%} of the pixels below 0.05, "
            f"{a['high']:.1%} above 0.95.</p>"
        )
    if gallery:
        parts.append(
            "<h2>Best, median and worst</h2><p>Left to right: source, edit, truth. Ranked by PSNR gained over copy.</p>"
        )
        parts += [_figure(name, case) for name, case in gallery]
    if grid:
        parts.append(f"<h2>Samples ({html.escape(Path(grid).stem)})</h2>{_image(Path(grid).read_bytes())}")
    parts.append(f"<h2>Settings</h2><pre>{html.escape(_settings(run))}</pre></html>")
    part = path.with_name(path.name + ".part")
    part.write_text("\n".join(parts), encoding="utf-8")
    part.replace(path)


def _table(scores):
    rows = [("all", scores["edit"], scores["copy"])]
    rows += [(title, by["edit"], by["copy"]) for title, by in scores["by_request"].items()]
    cells = "".join(
        f"<tr><td>{html.escape(title)}</td>"
        + "".join(f"<td>{value[name]:{form}}</td>" for name, form in FORMS for value in (edit, copy))
        + "</tr>"
        for title, edit, copy in rows
        if edit
    )
    if not cells:
        return "<p>These people are photos: their edits have no true picture to be compared with.</p>"
    head = "<th>asked</th><th>PSNR edit, dB</th><th>PSNR copy, dB</th><th>SSIM edit</th><th>SSIM copy</th>"
    return f"<table><tr>{head}</tr>{cells}</table>"


FORMS = (("psnr", ".2f"), ("ssim", ".4f"))


def _figure(name, case):
    pictures = [cv2.resize(p, (128, 128), interpolation=cv2.INTER_NEAREST) for p in case["pictures"]]
    _, data = cv2.imencode(".png", cv2.hconcat(pictures)[..., ::-1])
    edit, copy = case["edit"]["psnr"], case["copy"]["psnr"]
    caption = f"{name}: {case['title']}, {edit:.2f} dB (copy {copy:.2f} dB), {case['source']}"
    return f"<figure>{_image(data.tobytes())}<figcaption>{html.escape(caption)}</figcaption></figure>"


def _image(data):
    return f"<img alt='' src='data:image/png;base64,{base64.b64encode(data).decode()}'>"


def _settings(run):
    values = {"preset": run.settings.preset, **config.to_json(run.settings), **config.to_json(run.run)}
    return "\n".join(f"{name} = {value}" for name, value in values.items())
