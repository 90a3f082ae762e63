"""The documentation: links and anchors lead somewhere, commands are understood, what is the code's word is the code's.

``python scripts/write_docs.py`` brings the generated parts up to date. The site itself is built where mkdocs is
installed (the docs extra); all other checks need nothing beside tfface.
"""

import importlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tfface import cli, models
from tfface.data import records
from tfface.errors import InputError

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
SOURCES = [*(ROOT / "tfface").rglob("*.py"), *(ROOT / "data_tools").glob("*.py")]
_LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")


def load_writer():
    spec = importlib.util.spec_from_file_location("write_docs", ROOT / "scripts" / "write_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


write_docs = load_writer()


def name_of(path):
    return str(path.relative_to(ROOT))


# -- links -------------------------------------------------------------------------------------------------------------


def without_code(page):
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", page, flags=re.S | re.M))


def anchors(page):
    """Returns the anchors of a page's headings, as GitHub and mkdocs both make them of plain words."""
    found = []
    for heading in re.findall(r"^#+ +(.+?)\s*$", re.sub(r"^```.*?^```", "", page, flags=re.S | re.M), re.M):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = sum(each == anchor or re.fullmatch(re.escape(anchor) + r"-\d+", each) is not None for each in found)
        found.append(f"{anchor}-{count}" if count else anchor)
    return set(found)


def broken_links(path):
    """Returns the links of a page that lead nowhere within the repository."""
    broken = []
    for target in _LINK.findall(without_code(path.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists() or (anchor and anchor not in anchors(there.read_text())):
            broken.append(target)
    return broken


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_and_anchors_lead_somewhere(path):
    assert not broken_links(path)


def test_broken_links_are_found(tmp_path):
    (tmp_path / "b.md").write_text("# One, two\n## One two\n```\n# no heading\n```\n")
    page = tmp_path / "a.md"
    page.write_text("[x](b.md) [x](b.md#one-two) [x](b.md#one-two-1) [x](b.md#no-heading) [x](c.md) [x](#a) `[x](d)`")
    assert broken_links(page) == ["b.md#no-heading", "c.md", "#a"]


def test_pages_that_errors_name_are_there():
    named = {page for path in SOURCES for page in re.findall(r'page="([^"]+)"', path.read_text())}
    assert named and str(InputError("bad", page="data.md")) == "bad (see docs/data.md)"
    for page in named:
        file, _, anchor = page.partition("#")
        assert not anchor or anchor in anchors((ROOT / "docs" / file).read_text()), page


def test_site_builds_without_warnings(tmp_path):
    pytest.importorskip("mkdocs", reason="THE SITE IS NOT BUILT HERE: pip install -e '.[docs]'")
    pytest.importorskip("material", reason="THE SITE IS NOT BUILT HERE: pip install -e '.[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in ("index", "models/ganimation", "responsible_use", "contributing"):
        text = (tmp_path / "site" / f"{page}.html").read_text()
        assert not re.search(r'<(?:link|script|img)[^>]+(?:href|src)="https?://', text)  # loads nothing from elsewhere


# -- what the code says ------------------------------------------------------------------------------------------------


def comparable(text):
    """Text of ``--help`` whatever Python wrapped it: 3.13 writes ``-o, --output DIR`` where 3.11 has DIR twice."""
    return re.sub(r"(-\w) (\S+), (--[\w-]+ \2)", r"\1, \3", " ".join(text.split()))


def test_help_of_another_python_is_the_same():
    assert comparable("-o DIR, --output DIR  new\n   -h, --help") == comparable("-o, --output DIR\n new -h, --help")
    assert comparable("-o DIR, --output DIR  new") != comparable("-o DIR, --output DIR  old")


@pytest.mark.parametrize("path, block", sorted(write_docs.blocks()), ids=lambda value: getattr(value, "stem", value))
def test_generated_parts_are_up_to_date(path, block):
    page = path.read_text()
    assert comparable(write_docs.written(page, block)) == comparable(write_docs.text_of(block)), (
        f"{path.name} says something else than the code: python scripts/write_docs.py"
    )


def test_every_model_and_command_has_its_place():
    blocks = {block for _, block in write_docs.blocks()}
    for name in models.names():
        assert {f"settings {name}", f"paper {name}"} <= blocks
    tools = {path.stem for path in (ROOT / "data_tools").glob("*.py") if "ArgumentParser" in path.read_text()}
    assert tools == set(write_docs.TOOLS)
    assert {"help tfface", "help data_tools"} <= blocks


def test_a_block_is_replaced_and_read_back():
    page = "a\n<!-- b:begin -->\nold\n<!-- b:end -->\nc\n"
    new = write_docs.replaced(page, "b", "new | text")
    assert write_docs.written(new, "b") == "new | text"
    assert new.startswith("a\n") and new.endswith("\nc\n") and "old" not in new
    with pytest.raises(ValueError, match="without"):
        write_docs.replaced("<!-- b:begin -->", "b", "new")


def test_every_field_of_a_record_is_described():
    page = (ROOT / "docs" / "records.md").read_text()
    assert set(records.KEYS) == set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.*?) \|", page, re.M)))) & set(
        records.KEYS
    )


# -- commands ----------------------------------------------------------------------------------------------------------


def documented_commands():
    """Yields (page, words) of every command of the pages' shell blocks; those of the README: `test_package`."""
    for path in PAGES:
        if path.name == "README.md" and path.parent == ROOT:
            continue
        for block in re.findall(r"^```bash\n(.*?)^```", path.read_text(), re.S | re.M):
            for line in block.replace("\\\n", " ").splitlines():
                if not line.startswith(("bash train.sh", "tfface ", "python -m data_tools.")):
                    continue
                words = shlex.split(line, comments=True)
                if words[:2] == ["bash", "train.sh"]:
                    words = ["tfface", "train", *words[2:]]
                elif words[0] == "python":
                    words = words[2:]
                yield pytest.param(path, words, id=f"{path.stem}: {' '.join(words)}")


@pytest.mark.parametrize("path, words", list(documented_commands()))
def test_commands_are_understood(path, words):
    program, *arguments = words
    if "--help" in arguments:
        arguments.remove("--help")
        if program == "tfface":
            assert arguments[0] in write_docs.tfface_help()
        return
    parser = cli.build_parser() if program == "tfface" else importlib.import_module(program).parser()
    parsed = parser.parse_args(arguments)
    if program == "tfface" and arguments[0] == "train":
        config = models.get(parsed.model).Config
        overrides = importlib.import_module("tfface.config").parse_assignments(parsed.set, config)
        config.from_preset(parsed.preset or "laptop", **overrides)
