"""The README quotes only commands that a test runs.

A journey declares what it runs as a literal tuple `README_COMMANDS` at the top level of its module in
`tests/journeys`; a command of the README stands there word for word, without the prompt. What CI itself runs
(`.ci/run`) counts too: no test can run all tests.
"""

import ast
import re

import pytest

from tests.architecture.source_tree import ROOT, require_none

README = ROOT / "README.md"
JOURNEYS = ROOT / "tests" / "journeys"
CI = ROOT / ".ci" / "run"


def test_every_command_of_the_readme_is_run_by_a_journey():
    if not README.exists():
        pytest.skip("there is no README.md yet")
    declared = {command for file in JOURNEYS.rglob("*.py") for command in declared_commands(file.read_text("utf-8"))}
    declared |= set(CI.read_text("utf-8").splitlines()) if CI.exists() else set()

    require_none(undeclared(README.read_text("utf-8"), declared))


def test_the_check_sees_a_command_that_nobody_runs():
    console = "Text.\n```console\n$ make run\nready: dicom …\n$ make fly\n```\n"
    readme = f"{console}```bash\n# a comment\nacuity check \\\n  --json\n```\n"

    assert commands_in(readme) == ["make run", "make fly", "acuity check --json"]
    assert undeclared(readme, {"make run", "acuity check --json"}) == ["README.md: no journey runs: make fly"]


def test_a_block_without_a_prompt_holds_commands_alone():
    assert commands_in("```console\nmake run\nmake test\n```\n") == ["make run", "make test"]


def test_blocks_in_other_languages_hold_no_commands():
    assert commands_in("```toml\n[dicom]\n```\n```\nplain\n```\n") == []


def test_the_declaration_of_a_journey_is_read_without_running_it():
    assert declared_commands('README_COMMANDS = ("make run", "make test")\n') == ("make run", "make test")
    assert declared_commands('README_COMMANDS: tuple[str, ...] = ("make run",)\n') == ("make run",)
    assert declared_commands("x = 1\n") == ()


def undeclared(readme, declared):
    return [f"README.md: no journey runs: {command}" for command in commands_in(readme) if command not in declared]


def commands_in(readme):
    """Return the commands of every `console` and `bash` block, in their order, continued lines joined.

    Where a block shows the prompt `$`, its other lines are what the commands print.
    """
    blocks = re.findall(r"^```(?:console|bash|sh|shell)\n(.*?)^```", readme, flags=re.MULTILINE | re.DOTALL)
    return [command for block in blocks for command in _commands_of(block)]


def _commands_of(block):
    lines = [line.strip() for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    if any(line.startswith("$ ") for line in lines):
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line for line in lines if line and not line.startswith("#")]


def declared_commands(source):
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "README_COMMANDS" for target in targets):
            return tuple(ast.literal_eval(node.value))
    return ()
