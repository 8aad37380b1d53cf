"""Imports point down, and `triage` is pure: standard library only, no file, no clock, no environment."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, Module, product_modules, require_none

IMPURE_MODULES = frozenset(
    {"asyncio", "glob", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil", "socket",
     "sqlite3", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid"}
)  # fmt: skip
"""Parts of the standard library that reach outside or give another answer each time."""

IMPURE_CALLS = frozenset({"open", "print", "input", "eval", "exec", "datetime.now", "datetime.utcnow", "date.today"})


def test_the_contracts_of_the_layers_are_kept():
    outcome = lint_imports(ROOT)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_triage_imports_the_standard_library_alone_and_reaches_nothing_outside():
    triage = [module for module in product_modules() if module.path.startswith("triage/")]

    assert triage
    require_none([complaint for module in triage for complaint in impurities(module)])


@pytest.mark.parametrize(
    "text",
    ["import numpy", "from pydicom import dcmread", "import os", "from pathlib import Path", "import urllib.request",
     "from storage.rows import Row", "now = datetime.now(UTC)", "text = open('a').read()"],
)  # fmt: skip
def test_the_purity_check_sees_what_reaches_outside(text):
    assert impurities(Module("triage/bad.py", text)) != []


def test_the_purity_check_lets_pure_code_pass():
    text = "import hashlib\nfrom datetime import datetime\nfrom triage.study import Study\n"

    assert impurities(Module("triage/good.py", text)) == []


def test_the_layer_check_sees_an_import_that_points_up(tmp_path):
    for package in ("upper", "lower"):
        (tmp_path / package).mkdir()
    (tmp_path / "upper" / "__init__.py").write_text("")
    (tmp_path / "lower" / "__init__.py").write_text("import upper\n")
    contract = "[importlinter:contract:c]\nname=c\ntype=layers\nlayers=\n    upper\n    lower\n"
    (tmp_path / ".importlinter").write_text(f"[importlinter]\nroot_packages=\n    upper\n    lower\n{contract}")

    outcome = lint_imports(tmp_path)

    assert outcome.returncode != 0
    assert "lower is not allowed to import upper" in outcome.stdout


def lint_imports(folder):
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def impurities(module):
    found = []
    for node in ast.walk(module.tree):
        for name in imported_names(node):
            top = name.split(".")[0]
            if top != "triage" and (top not in sys.stdlib_module_names or top in IMPURE_MODULES):
                found.append(f"{module.path}:{node.lineno}: imports {name}")
        if isinstance(node, ast.Call) and ast.unparse(node.func) in IMPURE_CALLS:
            found.append(f"{module.path}:{node.lineno}: calls {ast.unparse(node.func)}")
    return found


def imported_names(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
