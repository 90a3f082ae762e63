"""Writes the parts of the documentation that are the code's own words: settings, differences from papers, ``--help``.

``python scripts/write_docs.py`` replaces what stands between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->`` in the
pages under docs/. tests/test_docs.py fails while a page says something else than the code.
"""

import ast
import contextlib
import dataclasses
import importlib
import inspect
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
sys.path.insert(0, str(ROOT))  # data_tools is run from the checkout and not installed
COLUMNS = 100  # of the help texts, whatever the terminal
TOOLS = (
    "synthesize", "align", "annotate", "rerender", "celeba", "openface", "emotionet", "multipie", "yaleb", "inspect",
)  # fmt: skip


def main():
    """Brings every page up to date and names those that changed."""
    for path, block in sorted(blocks()):
        before = path.read_text()
        after = replaced(before, block, text_of(block))
        if after != before:
            path.write_text(after)
            print(f"{path.relative_to(ROOT)}: {block}")


def blocks():
    """Returns ``{(page, name of a block), ...}`` of all pages."""
    pages = [*DOCS.rglob("*.md"), ROOT / "CONTRIBUTING.md"]
    return {(page, name) for page in pages for name in re.findall(r"<!-- ([\w. ]+):begin -->", page.read_text())}


def replaced(page, block, text):
    """Returns the page with another text between the block's two marks."""
    begin, end = f"<!-- {block}:begin -->", f"<!-- {block}:end -->"
    head, _, rest = page.partition(begin)
    _, mark, tail = rest.partition(end)
    if not mark:
        raise ValueError(f"{begin} without {end}")
    return f"{head}{begin}\n\n{text.strip()}\n\n{end}{tail}"


def written(page, block):
    """Returns what a page says between the block's two marks."""
    return page.partition(f"<!-- {block}:begin -->")[2].partition(f"<!-- {block}:end -->")[0].strip()


def text_of(block):
    """Returns what the code says: of ``settings MODEL``, ``paper MODEL`` or ``help tfface`` or ``help data_tools``."""
    what, name = block.split()
    if what == "settings":
        return settings(name)
    if what == "paper":
        return docstring(name)
    return tfface_help() if name == "tfface" else data_tools_help()


def settings(name):
    """Returns a Markdown table of a model's settings with their values in each preset."""
    from tfface import cli, config, models

    cls = models.get(name).Config
    lines = [
        f"| setting | meaning | {' | '.join(f'`{preset}`' for preset in cls.PRESETS)} |",
        f"|---|---|{'---|' * len(cls.PRESETS)}",
    ]
    for field in dataclasses.fields(cls):
        if field.name == "preset":
            continue
        values = [preset.get(field.name, field.default) for preset in cls.PRESETS.values()]
        values = [cli._value(value).replace(",", ", ") for value in values]
        meaning = field.metadata["help"]
        if field.metadata["choices"]:
            meaning += f" ({', '.join(map(str, field.metadata['choices']))})"
        elif field.type is bool:
            meaning += f" ({config.type_name(bool)})"
        shown = " | ".join(
            "as left" if number and len(value) > 40 and value == values[number - 1] else value
            for number, value in enumerate(values)
        )
        lines.append(f"| `{field.name}` | {meaning} | {shown} |")
    return "\n".join(lines)


def docstring(name):
    """Returns what a model's file says of its paper and of what differs, without its first line."""
    text = inspect.cleandoc(ast.get_docstring(ast.parse((ROOT / "tfface" / "models" / f"{name}.py").read_text())))
    return text.partition("\n\n")[2]


def tfface_help():
    """Returns the help texts of ``tfface`` and its commands as Markdown."""
    from tfface import cli

    with _columns():
        parser = cli.build_parser()
        (commands,) = (action.choices for action in parser._actions if isinstance(action.choices, dict))
        sections = [_section("tfface", parser)]
        sections += [_section(f"tfface {name}", sub) for name, sub in commands.items()]
    return "\n\n".join(sections)


def data_tools_help():
    """Returns the help texts of all data tools as Markdown."""
    with _columns():
        tools = [(name, importlib.import_module(f"data_tools.{name}").parser()) for name in TOOLS]
        return "\n\n".join(_section(f"data_tools.{name}", parser) for name, parser in tools)


def _section(title, parser):
    return f"### {title}\n\n```text\n{parser.format_help().strip()}\n```"


@contextlib.contextmanager
def _columns():
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(COLUMNS)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


if __name__ == "__main__":
    main()
