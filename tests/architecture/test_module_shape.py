"""Modules and functions stay small, are named by the domain, and say what they are for."""

import ast
from pathlib import PurePosixPath

from tests.architecture.source_tree import Module, product_modules, require_none

LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
BANNED_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "core", "base", "types", "manager"})


def test_no_module_is_longer_than_400_lines():
    require_none(complaints_about(too_long))


def test_no_function_is_longer_than_60_lines():
    require_none(complaints_about(long_functions))


def test_no_module_or_package_is_named_for_nothing():
    require_none(complaints_about(banned_names))


def test_a_package_file_holds_a_docstring_and_nothing_else():
    require_none(complaints_about(more_than_a_docstring))


def test_every_module_and_every_public_function_and_class_has_a_docstring():
    require_none(complaints_about(missing_docstrings))


def test_the_length_checks_see_a_long_module_and_a_long_function():
    body = "\n".join(f"    step_{number} = {number}" for number in range(LONGEST_FUNCTION))
    long_function = Module("triage/long.py", f"def work():\n{body}\n")
    long_module = Module("triage/long.py", "x = 1\n" * (LONGEST_MODULE + 1))

    assert long_functions(long_function) == ["triage/long.py:1: work has 61 lines, at most 60"]
    assert too_long(long_module) == ["triage/long.py: 401 lines, at most 400"]
    assert too_long(Module("triage/fine.py", "x = 1\n" * LONGEST_MODULE)) == []


def test_the_name_check_sees_a_helper_module_and_a_helper_package():
    assert banned_names(Module("storage/helpers.py", "")) == ["storage/helpers.py: helpers is a name for nothing"]
    assert banned_names(Module("storage/core/rows.py", "")) == ["storage/core/rows.py: core is a name for nothing"]
    assert banned_names(Module("deploy/process.py", "")) == []


def test_the_package_file_check_sees_code_and_a_missing_docstring():
    assert more_than_a_docstring(Module("triage/__init__.py", '"""Rules."""\nfrom triage import study\n')) != []
    assert more_than_a_docstring(Module("triage/__init__.py", "")) != []
    assert more_than_a_docstring(Module("triage/__init__.py", '"""Rules."""\n')) == []


def test_the_docstring_check_sees_what_is_public_and_undocumented():
    text = '"""Module."""\nclass Bare:\n    def method(self): ...\ndef bare(): ...\ndef _private(): ...\n'

    assert missing_docstrings(Module("triage/bare.py", text)) == [
        "triage/bare.py:2: Bare has no docstring",
        "triage/bare.py:4: bare has no docstring",
    ]


def complaints_about(check):
    return [complaint for module in product_modules() for complaint in check(module)]


def too_long(module):
    lines = len(module.text.splitlines())
    return [f"{module.path}: {lines} lines, at most {LONGEST_MODULE}"] if lines > LONGEST_MODULE else []


def long_functions(module):
    functions = [one for one in ast.walk(module.tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = ((one, (one.end_lineno or one.lineno) - one.lineno + 1) for one in functions)
    return [
        f"{module.path}:{one.lineno}: {one.name} has {lines} lines, at most {LONGEST_FUNCTION}"
        for one, lines in lengths
        if lines > LONGEST_FUNCTION
    ]


def banned_names(module):
    parts = PurePosixPath(module.path).with_suffix("").parts
    return [f"{module.path}: {part} is a name for nothing" for part in parts if part.lower() in BANNED_NAMES]


def more_than_a_docstring(module):
    if not module.path.endswith("__init__.py"):
        return []
    if ast.get_docstring(module.tree) and len(module.tree.body) == 1:
        return []
    return [f"{module.path}: a docstring and nothing else is needed"]


def missing_docstrings(module):
    missing = [] if ast.get_docstring(module.tree) else [f"{module.path}: the module has no docstring"]
    for node in module.tree.body:
        public = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_"
        if public and not ast.get_docstring(node):
            missing.append(f"{module.path}:{node.lineno}: {node.name} has no docstring")
    return missing
