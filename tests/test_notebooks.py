"""Every notebook runs from top to bottom, holds no outputs, and its closing cell agrees with what it stored."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def code_cells(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_its_closing_cell_agrees(path):
    space: dict = {}
    *cells, closing = code_cells(path)
    for source in cells:
        exec(compile(source, path.name, "exec"), space)
    tree = ast.parse(closing)
    last = tree.body.pop()
    exec(compile(tree, path.name, "exec"), space)
    assert eval(compile(ast.Expression(last.value), path.name, "eval"), space) is True, space


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_and_public_names_only(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert all(not cell.get("outputs") and not cell.get("execution_count") for cell in notebook["cells"])
    for source in code_cells(path):
        assert "import" not in source or "import cytokine_cc as cc" in source


def test_there_is_one():
    assert NOTEBOOKS
