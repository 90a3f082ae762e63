"""The package as it is handed out: dependencies, the wheel, licences of the assets, the README's commands."""

import ast
import hashlib
import importlib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tfface import cli, models

ROOT = Path(__file__).parents[1]
ASSETS = sorted(path for path in (ROOT / "tfface" / "assets").rglob("*") if path.is_file())
DESCRIBED = [path for path in ASSETS if path.suffix != ".json" or path.parent.name == "assets"]
SOURCES = sorted((ROOT / "tfface").rglob("*.py"))


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def names_of(lines):
    return {canonical(re.split(r"[<>=!~\[; ]", line)[0]) for line in lines}


def required():
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    return names_of(line for line in lines if line)


def optional():
    """Names of what the extras add that users choose, which is imported where it is needed alone."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return {name for extra in ("beam", "demo", "onnx", "serving", "video") for name in names_of(extras[extra])}


def imported():
    """Names of the distributions that tfface and data_tools import anywhere, also inside functions."""
    modules = set()
    for path in [*SOURCES, *(ROOT / "data_tools").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module.split(".")[0])
    outside = modules - set(sys.stdlib_module_names) - {"tfface", "data_tools"}
    known = metadata.packages_distributions()
    return {canonical(name) for module in outside for name in known.get(module, [module])[:1]}


def test_what_is_imported_is_required_and_the_other_way_round():
    assert imported() <= required() | optional()
    assert required() - imported() <= {"matplotlib"}  # the notebooks draw with it
    assert optional() - imported() <= {"onnx"}  # tf2onnx writes with it


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the files that git would hand out, built without a network."""
    copy = tmp_path_factory.mktemp("source")
    names = ["pyproject.toml", "requirements.txt", "README.md", "LICENSE", "THIRD_PARTY.md"]
    for path in [*(ROOT / name for name in names), *SOURCES, *ASSETS]:
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    output = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-c", build, str(output)], cwd=copy, check=True, stdout=subprocess.DEVNULL)
    (path,) = output.glob("*.whl")
    return path


def test_wheel_holds_the_sources_the_assets_and_the_licences(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {str(path.relative_to(ROOT)) for path in [*SOURCES, *ASSETS]} <= names
    extra = {name for name in names if not name.startswith("tfface")}
    assert not extra
    for licence in ("LICENSE", "THIRD_PARTY.md"):
        assert any(name.endswith(f"dist-info/licenses/{licence}") for name in names)


def test_wheel_declares_the_requirements_and_the_command(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith("dist-info/METADATA"))
    text = archive.read(name).decode()
    declared = {canonical(m) for m in re.findall(r"^Requires-Dist: ([\w.-]+)(?!.*extra ==)", text, re.M)}
    assert declared == required()
    (entry,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    assert "tfface = tfface.cli:main" in archive.read(entry).decode()


def test_wheel_imports_and_helps_outside_the_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); import tfface.cli; sys.exit(tfface.cli.main())"
    command = [sys.executable, "-I", "-c", code, str(tmp_path / "site"), "--help"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "train" in result.stdout and "export" in result.stdout


@pytest.mark.parametrize("path", DESCRIBED, ids=lambda path: path.name)
def test_asset_has_a_row_with_its_licence_and_hash(path):
    name = path.relative_to(ROOT / "tfface" / "assets").as_posix()
    lines = (ROOT / "THIRD_PARTY.md").read_text().splitlines()
    (row,) = (line for line in lines if line.startswith(f"| `{name}`"))
    *_, licence, digest = (cell.strip(" `") for cell in row.strip("|").split("|"))
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert re.match(r"CC0 1.0|Apache-2.0|MIT|BSD-[23]-Clause", licence)


def test_tested_python_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert "(3, 11) <= sys.version_info[:2] <= (3, 13)" in (ROOT / "scripts" / "ensure_env.sh").read_text()


def documented_commands():
    """Every ``tfface``, ``bash train.sh`` and ``python -m data_tools`` line of the README's shell blocks, as words."""
    for block in re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if not line.startswith(("bash train.sh", "tfface ", "python -m ")):
                continue
            words = shlex.split(line, comments=True)
            if words[:2] == ["bash", "train.sh"]:
                yield ["tfface", "train", *words[2:]]
            elif words[:1] == ["tfface"]:
                yield words
            elif words[:2] == ["python", "-m"]:
                yield words[2:]


@pytest.mark.parametrize("words", list(documented_commands()), ids=" ".join)
def test_commands_in_the_readme_are_understood(words):
    program, *arguments = words
    parser = cli.build_parser() if program == "tfface" else importlib.import_module(program).parser()
    parsed = parser.parse_args(arguments)
    if arguments[0] == "train":
        config = models.get(parsed.model).Config
        assert parsed.preset is None or parsed.preset in config.PRESETS
