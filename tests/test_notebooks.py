"""Notebooks are kept without results and run from top to bottom: one of them always, the others with -m notebooks."""

import pathlib

import pytest

NOTEBOOKS = sorted((pathlib.Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
ALWAYS = ("01_ganimation",)
nbformat = pytest.importorskip("nbformat", reason="the notebooks extra is not installed")


def cases():
    for path in NOTEBOOKS:
        marks = [pytest.mark.notebooks] + ([] if path.stem in ALWAYS else [pytest.mark.slow])
        yield pytest.param(path, id=path.stem, marks=marks)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_kept_clean(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert notebook.cells[0].source.startswith("# ") and "find_spec" in code[0].source
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.mark.parametrize("path", list(cases()))
def test_runs_from_top_to_bottom(path, monkeypatch):
    import nbclient

    monkeypatch.delenv("MPLBACKEND", raising=False)  # figures appear below their cells, as in Jupyter
    monkeypatch.setenv("PYTHONPATH", str(path.parents[1]))  # this checkout, whatever is installed
    resources = {"metadata": {"path": str(path.parent)}}
    notebook = nbclient.NotebookClient(nbformat.read(path, 4), timeout=600, resources=resources).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
