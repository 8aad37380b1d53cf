"""The examples of docs/drift.md are what the commands answer."""

import json
import re
from pathlib import Path

import pytest

from deploy.cli import main

PAGE = Path(__file__).parents[3] / "docs" / "drift.md"
FILES = r"`([\w.]+)`:\n```csv\n(.*?)```"
EXAMPLES = r"```console\n\$ acuity (.*?)\n(.*?)\n```"


def examples():
    return re.findall(EXAMPLES, PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize(("command", "answer"), examples(), ids=lambda text: text[:40])
def test_an_example_of_the_page_is_what_the_command_answers(tmp_path, monkeypatch, capsys, command, answer):
    for name, content in re.findall(FILES, PAGE.read_text(encoding="utf-8"), flags=re.DOTALL):
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    assert main(command.split()) == 0

    require_same(json.loads(capsys.readouterr().out), json.loads(answer), command)


def test_every_command_has_an_example():
    assert {tuple(command.split()[:2]) for command, _ in examples()} == {
        ("drift", "design"), ("drift", "chart"), ("drift", "label-free"), ("queue", "wait")
    }  # fmt: skip


def require_same(found, stated, place):
    """Compare numbers to the six digits that the page shows, everything else as it is."""
    if isinstance(stated, dict):
        assert found.keys() == stated.keys(), place
        for key in stated:
            require_same(found[key], stated[key], f"{place}: {key}")
    elif isinstance(stated, list):
        assert len(found) == len(stated), place
        for one, other in zip(found, stated, strict=True):
            require_same(one, other, place)
    elif isinstance(stated, float):
        assert found == pytest.approx(stated, rel=1e-5, abs=1e-9), place
    else:
        assert found == stated, place
