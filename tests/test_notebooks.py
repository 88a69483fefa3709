"""Every notebook runs from top to bottom, holds no outputs, and its closing cell agrees with what it stored."""

from __future__ import annotations

import ast
import json
import runpy
from pathlib import Path

import pytest

import cytokine_cc as cc

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LONGEST_FUNCTION = 5
SIMULATIONS = (
    "01_reproduce_henry2010",
    "02_which_correction",
    "05_values_below_the_limit",
    "06_change_from_baseline",
    "07_error_rates_of_your_plan",
    "08_reviewer_checks",
)
WARN = pytest.mark.filterwarnings("ignore::cytokine_cc.AnalysisWarning")
WARNED = ("06_change_from_baseline",)  # it shows a warning, of baselines that differ, to its reader


def code_cells(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[pytest.mark.slow] * (path.stem in SIMULATIONS) + [WARN] * (path.stem in WARNED))
        for path in NOTEBOOKS
    ],
    ids=lambda path: path.stem,
)
def test_it_runs_and_its_closing_cell_agrees(path, monkeypatch):
    monkeypatch.chdir(FOLDER)  # where Jupyter runs it
    space: dict = {}
    *cells, closing = code_cells(path)
    for source in cells:
        exec(compile(source, path.name, "exec"), space)
    tree = ast.parse(closing)
    last = tree.body.pop()
    exec(compile(tree, path.name, "exec"), space)
    assert eval(compile(ast.Expression(last.value), path.name, "eval"), space) is True, space


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_public_names_only_and_short_functions(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert all(not cell.get("outputs") and not cell.get("execution_count") for cell in notebook["cells"])
    nodes = list(ast.walk(ast.parse("\n".join(code_cells(path)))))
    imports = [ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    assert set(imports) == {"import cytokine_cc as cc"}
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    assert not [node.attr for node in attributes if node.attr.startswith("_")]
    assert {node.attr for node in attributes if ast.unparse(node.value) == "cc"} <= set(cc.__all__)
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    assert not [node.name for node in functions if node.end_lineno - node.lineno >= LONGEST_FUNCTION]


def test_the_invented_files_are_what_their_script_makes():
    made = runpy.run_path(str(FOLDER / "data" / "make_lab_export.py"))["files"]()
    assert made == {name: (FOLDER / "data" / name).read_text(encoding="utf-8") for name in made}


def test_there_is_one():
    assert NOTEBOOKS
