"""One module reads the environment, and only the loops of a process catch everything."""

import ast

import pytest

from tests.architecture.source_tree import Module, product_modules, require_none

ENVIRONMENT_READERS = frozenset({"deploy/settings.py"})
ENVIRONMENT_WRITERS = frozenset({"deploy/process.py"})
"""May give OMP_NUM_THREADS a value before the libraries that read it are used; may read nothing."""

PROCESS_LOOPS = frozenset(
    {
        "dicom_gateway/receiver.py",
        "dicom_gateway/storing.py",
        "dicom_gateway/group_commit.py",
        "dicom_gateway/following_rows.py",
        "dicom_gateway/adoption.py",
        "deploy/monitor.py",
        "deploy/supervisor.py",
        "deploy/shadow_worker.py",
        "deploy/validation_worker.py",
        "deploy/triage_worker.py",
        "deploy/delivery_worker.py",
    }
)
"""Where one bad input must not stop the next one: what goes wrong is logged, and the loop goes on."""


def test_only_the_settings_read_the_environment():
    require_none([complaint for module in product_modules() for complaint in environment_uses(module)])


def test_only_the_process_loops_catch_every_exception():
    require_none([complaint for module in product_modules() for complaint in broad_handlers(module)])


@pytest.mark.parametrize(
    "text",
    ["import os\nhome = os.environ['HOME']", "import os\nhome = os.getenv('HOME')", "from os import environ",
     "from os import getenv as read", "import os\nfor name in os.environ: ..."],
)  # fmt: skip
def test_the_environment_check_sees_every_way_to_read_it(text):
    assert environment_uses(Module("storage/bad.py", text)) != []
    assert environment_uses(Module("deploy/process.py", text)) != []
    assert environment_uses(Module("deploy/settings.py", text)) == []


def test_the_environment_check_lets_one_module_write():
    text = "import os\nos.environ.setdefault('OMP_NUM_THREADS', '1')\nos.environ['OMP_NUM_THREADS'] = '1'\n"

    assert environment_uses(Module("deploy/process.py", text)) == []
    assert environment_uses(Module("storage/bad.py", text)) != []


@pytest.mark.parametrize(
    "handler", ["except Exception:", "except BaseException:", "except:", "except (OSError, Exception):"]
)
def test_the_handler_check_sees_every_way_to_catch_everything(handler):
    text = f"try:\n    work()\n{handler}\n    pass\n"

    assert broad_handlers(Module("storage/bad.py", text)) != []
    assert broad_handlers(Module("deploy/monitor.py", text)) == []


def environment_uses(module):
    if module.path in ENVIRONMENT_READERS:
        return []
    written = _written_environment(module.tree) if module.path in ENVIRONMENT_WRITERS else set()
    found = []
    for node in ast.walk(module.tree):
        imported = isinstance(node, ast.ImportFrom) and node.module == "os" and {a.name for a in node.names}
        if imported and imported & {"environ", "environb", "getenv", "getenvb"}:
            found.append(f"{module.path}:{node.lineno}: imports the environment")
        used = isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "getenvb")
        if used and ast.unparse(node.value) == "os" and node not in written:
            found.append(f"{module.path}:{node.lineno}: {ast.unparse(node)}")
    return found


def _written_environment(tree):
    """Return the `os.environ` nodes that are only written to: `os.environ[…] = …` and a bare `setdefault`."""
    written = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            written.add(node.value)
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "setdefault":
            written.add(call.func.value)
    return written


def broad_handlers(module):
    handlers = [node for node in ast.walk(module.tree) if isinstance(node, ast.ExceptHandler)]
    broad = [one for one in handlers if _caught(one) & {"", "Exception", "BaseException"}]
    if module.path in PROCESS_LOOPS:
        return []
    return [f"{module.path}:{one.lineno}: except {' '.join(_caught(one))}" for one in broad]


def _caught(handler):
    if isinstance(handler.type, ast.Tuple):
        return {ast.unparse(one) for one in handler.type.elts}
    return {ast.unparse(handler.type) if handler.type else ""}
