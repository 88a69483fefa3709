"""The pages say what is true: public names, commands, figures that the README quotes."""

from __future__ import annotations

import ast
import inspect
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import cytokine_cc as cc

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_api_page_lists_the_public_names():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)
    assert listed == [name for name in cc.__all__ if name != "__version__"]


@pytest.mark.parametrize("name", [name for name in cc.__all__ if name != "__version__"])
def test_public_names_load_and_are_documented(name):
    public = getattr(cc, name)
    assert inspect.getdoc(public)
    if inspect.isfunction(public):
        assert "Examples" in public.__doc__


def test_editors_see_the_same_names():
    tree = ast.parse((ROOT / "cytokine_cc" / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.name: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    assert seen == cc._PUBLIC


@pytest.mark.parametrize("name", ["which_test", "checks"])
def test_the_pages_of_tests_and_checks_are_what_their_scripts_write(name):
    page = runpy.run_path(str(ROOT / "docs" / f"{name}.py"), run_name="page")["page"]()
    assert (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") == page


def test_the_readme_names_every_test():
    from cytokine_cc.kernels import TESTS

    assert not [name for name in TESTS if f"`{name}`" not in README]


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        cc.nonsense  # noqa: B018


def test_import_loads_nothing_heavy():
    heavy = ("numpy", "pandas", "scipy", "matplotlib", "statsmodels")
    code = f"import sys, cytokine_cc; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom cytokine_cc.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('numpy', 'pandas', 'scipy', 'matplotlib') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip().endswith("[]")


def test_readme_quotes_what_the_first_command_prints(tmp_path):
    command = re.search(r"\.venv/bin/(cytokine-cc reproduce --out results)$", README, flags=re.MULTILINE)[1]
    blocks = re.findall(r"```text\n(.*?)```", README, flags=re.DOTALL)
    code = f"from cytokine_cc.cli import main; main({shlex.split(command)[1:]!r})"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert blocks
    for quoted in blocks:
        assert quoted in printed
    assert (tmp_path / "results" / "report.html").stat().st_size < 5_000_000


def test_readme_python_runs(tmp_path):
    code = re.search(r"```python\n(.*?)```", README, flags=re.DOTALL)[1]
    subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (tmp_path / "results" / "report.html").exists()


def test_readme_study_file_is_a_valid_plan():
    text = re.search(r"```toml\n(.*?)```", README, flags=re.DOTALL)[1]
    plan = cc.Plan.from_toml(text)
    assert (plan.baseline.test, plan.baseline.adjust, plan.change_within) == ("mann_whitney", "holm", None)


def test_links_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_versions_agree():
    assert f'version = "{cc.__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"version: {cc.__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
