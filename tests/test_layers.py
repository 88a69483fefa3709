"""A module imports only from those listed above it in the house (docs/design.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import cytokine_cc

PACKAGE = Path(cytokine_cc.__file__).parent
ORDER = (
    "errors labels versions toml_files text_files panel arrays readers limits design study matching balance covariates "
    "kernels multiplicity principal words wording shown questions plan adjusting responses entering results shared_result "
    "engine exclusions assembly summaries correlations analysis side_by_side plate_effects shared_signal config "
    "quickstart simulation checks plots report cli"
).split()
NO_PANDAS = [
    *sorted((PACKAGE / "kernels").glob("*.py")),
    PACKAGE / "multiplicity.py",
    PACKAGE / "principal.py",
    PACKAGE / "limits.py",
    PACKAGE / "engine.py",
]


def imports_of(path: Path) -> list[str]:
    """Modules imported at run time, as dotted names inside the package (leading dot) or outside."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {id(node) for block in ast.walk(tree) if is_type_checking(block) for node in ast.walk(block)}
    found = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = path.parent if node.level == 1 else path.parent.parent
            if node.level:
                inside = base == PACKAGE
                names = [node.module] if node.module else [alias.name for alias in node.names]
                found += [f".{name.split('.')[0]}" if inside else f".{base.name}" for name in names if not name.startswith("__")]
            else:
                found.append(node.module or "")
    return found


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def layer(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_come_from_above(path):
    own = ORDER.index(layer(path))
    for name in imports_of(path):
        if name.startswith("."):
            other = name.removeprefix(".")
            assert ORDER.index(other) <= own, f"{path.name} imports {other}, which stands below it"


@pytest.mark.parametrize("path", NO_PANDAS, ids=lambda path: path.name)
def test_numbers_are_computed_without_pandas(path):
    assert not any(name.split(".")[0] in {"pandas", "statsmodels", "matplotlib"} for name in imports_of(path))
    assert "scipy.stats" not in imports_of(path)


def test_no_module_has_the_name_of_a_public_function():
    modules = {path.stem for path in PACKAGE.rglob("*.py")} | {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    assert not modules & {name for name in cytokine_cc.__all__ if cytokine_cc._PUBLIC.get(name)}


def test_no_assert_and_no_print_in_library_code():
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree)), path.name
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        assert not any(isinstance(call, ast.Name) and call.id == "print" for call in calls), path.name


def test_files_hold_one_idea():
    long = {path.name: n for path in FILES if (n := len(path.read_text(encoding="utf-8").splitlines())) > 450}
    assert not long
