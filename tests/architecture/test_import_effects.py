"""Importing a module opens nothing, reads no environment and configures no logging."""

import ast
import json
import os
import subprocess
import sys

import pytest

from tests.architecture.source_tree import ROOT, Module, code_run_at_import, product_modules, require_none

PURE_CALLS = frozenset(
    {"bytes", "dataclass", "dict", "field", "float", "frozenset", "int", "len", "list", "max", "min", "np.int32",
     "np.ones", "np.zeros", "range", "re.compile", "set", "sorted", "str", "timedelta", "tuple", "zip",
     # What pydantic is told of a check; it runs when a value is made.
     "field_validator", "model_validator", "field_serializer",
     # A logger that is asked for is not yet configured; its first event reads the configuration.
     "structlog.get_logger", "logging.getLogger",
     # A function that remembers what it returned.
     "lru_cache",
     # Routes, and the permission that each of them needs.
     "router.delete", "router.get", "router.patch", "router.post", "router.put", "may",
     # Puts a specification together from its parts.
     "triage_spec",
     # dataclasses.replace: the same value with some fields changed.
     "replace",
     # Expressions of SQLAlchemy: values until something executes them.
     "func.coalesce", "func.now", "func.count", "func.max", "func.min", "literal", "literal_column",
     "null", "select", "text",
     # The wheel of the embedded server warns while it is imported.
     "warnings.catch_warnings", "warnings.simplefilter"}
)  # fmt: skip
PURE_METHODS = frozenset({"format", "join", "label", "resolve", "select_from", "where"})
"""Methods of strings, of paths and of SQL expressions: they return a value and change nothing."""

ACTIVE_CLASSES = frozenset({"Popen", "Thread", "Timer", "Process", "Pool", "ThreadPoolExecutor", "ProcessPoolExecutor"})

SCRIPTS = frozenset({"storage/migrations/env.py"})
"""Run by Alembic in the middle of a migration and never imported."""


def test_no_module_does_anything_but_build_values_when_it_is_imported():
    require_none([complaint for module in product_modules() for complaint in active_code(module)])


@pytest.mark.timeout(300)
def test_importing_every_module_touches_nothing_outside():
    modules = [module.dotted_name for module in product_modules() if module.path not in SCRIPTS]

    require_none(effects_of_importing(modules, str(ROOT)))


@pytest.mark.parametrize(
    "text",
    ["start_server()", "engine = connect('postgresql://')", "logging.basicConfig()", "log = open('a', 'w')",
     "worker = Thread(target=run)", "class A:\n    size = measure()", "@register('a')\ndef f(): ...",
     "def f(now=clock.now()): ...", "with opened() as file:\n    pass"],
)  # fmt: skip
def test_the_source_check_sees_code_that_acts_at_import(text):
    assert active_code(Module("storage/bad.py", text)) != []


@pytest.mark.parametrize(
    "text",
    ["def f():\n    connect()", "if __name__ == '__main__':\n    main()", "later = lambda: connect()",
     "@dataclass(frozen=True)\nclass A:\n    parts: tuple = field(default_factory=tuple)",
     "QUERY = select(a).where(b)"],
)  # fmt: skip
def test_the_source_check_lets_values_pass(text):
    assert active_code(Module("storage/good.py", text)) == []


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        ("import socket\nsocket.socket().close()", "socket.__new__"),
        ("import pathlib\npathlib.Path(__file__).with_suffix('.log').write_text('x')", "open for writing"),
        ("import subprocess\nsubprocess.run(['true'])", "subprocess.Popen"),
        ("import os\nos.environ.get('HOME')", "environment read"),
        ("import logging\nlogging.basicConfig()", "logging configured"),
        ("import structlog\nstructlog.configure()", "structlog configured"),
        ("import threading\nthreading.Thread(target=id, args=(1,)).start()", "thread started"),
    ],
)
def test_the_import_check_sees_what_a_module_touches(tmp_path, text, effect):
    (tmp_path / "triage").mkdir()
    (tmp_path / "triage" / "__init__.py").write_text("")
    (tmp_path / "triage" / "bad.py").write_text(text)

    assert any(effect in found for found in effects_of_importing(["triage.bad"], str(tmp_path)))


def active_code(module):
    if module.path in SCRIPTS:
        return []
    calls = (node for node in code_run_at_import(module.tree) if isinstance(node, ast.Call))
    return [f"{module.path}:{call.lineno}: calls {ast.unparse(call.func)}" for call in calls if not _is_pure(call)]


def _is_pure(call):
    name = ast.unparse(call.func)
    last = call.func.attr if isinstance(call.func, ast.Attribute) else name
    is_constructor = last[0].isupper() and last not in ACTIVE_CLASSES
    return is_constructor or name in PURE_CALLS or (isinstance(call.func, ast.Attribute) and last in PURE_METHODS)


def effects_of_importing(modules, folder):
    """Import `modules` in one fresh interpreter and return what their own code did to the world meanwhile."""
    watcher = ROOT / "tests" / "architecture" / "import_watcher.py"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    outcome = subprocess.run(
        [sys.executable, "-W", "ignore", str(watcher), folder],
        input=json.dumps(modules), capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout.splitlines()[-1])
