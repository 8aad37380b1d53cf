"""A rule file is read whole or refused whole, and the examples of the documentation are rules."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.rule_file import KnownNames, read_rules
from tests.architecture.source_tree import ROOT
from triage.errors import InvalidSetting
from triage.priority import Priority
from triage.rules import All, Asked, Between, OneOf, Question, Tag

KNOWN = KnownNames({"ct-head-haemorrhage", "us-breast-lesion"}, {"PACS", "NEURO"}, taking_results={"PACS"})


def read(folder: Path, text: str):
    file = folder / "rules.toml"
    file.write_text(text, encoding="utf-8")
    return read_rules(file, KNOWN)


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(InvalidSetting) as refused:
        read(folder, text)
    return str(refused.value).split(": ", 1)[1].split("; ")


def test_the_examples_of_the_documentation_are_rules(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "rules.md").read_text(encoding="utf-8"), re.DOTALL)

    night, outpatient, children = read(tmp_path, example)

    assert isinstance(night.when, All)
    assert Question(Asked.SLICE_THICKNESS, Between(high=5)) in night.when.conditions
    assert (night.then.run_only, night.then.priority_floor) == (("ct-head-haemorrhage",), Priority.URGENT)
    assert outpatient.when == Question(Asked.SOURCE, OneOf(("CT2",)))
    assert isinstance(children.when, All)


def test_every_condition_of_the_documentation_can_be_read(tmp_path):
    page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8").split("## Conditions")[1].split("## Actions")[0]
    conditions = [one for one in re.findall(r"^\| `(\{.*?\})` \|", page, re.MULTILINE) if "…" not in one]

    assert len(conditions) == 11
    for condition in conditions:
        (rule,) = read(tmp_path, f'[[rules]]\nname = "a"\nwhen = {condition}\nthen = {{ send_original = ["PACS"] }}\n')
        assert isinstance(rule.when, Question)


def test_every_mistake_is_told_at_once_with_its_place(tmp_path):
    text = """
[[rules]]
name = "a"
when = { all = [ { tag = "Modalty", equals = "CT" }, { orientation = "oblique" }, { time = "25:00-07:00" } ] }
[rules.then]
run_only = ["ct-head"]
send_original = ["NEURO", "ELSEWHERE"]
priority_floor = "routine"
retention_days = 0.5
[[rules]]
name = "a"
when = { tag = "KVP", at_least = 5, at_most = 1 }
"""

    assert mistakes(tmp_path, text) == [
        "rules[1].when.all[1].tag: found 'Modalty', needed a DICOM keyword or (gggg,eeee)",
        "rules[1].when.all[2].orientation: found 'oblique', needed sagittal, coronal, axial",
        "rules[1].when.all[3].time: found '25:00-07:00', needed \"18:00-07:00\", two different times",
        "rules[1].then.run_only: found 'ct-head', needed a model (ct-head-haemorrhage, us-breast-lesion)",
        "rules[1].then.send_original: found 'ELSEWHERE', needed a destination of the settings (NEURO, PACS)",
        "rules[1].then.priority_floor: found 'routine', needed critical or urgent",
        "rules[1].then.retention_days: found 0.5, needed whole days, 0 (for ever) to 36500",
        "rules[2].when: at_least 5 is above at_most 1",
        "rules[2].then: found nothing, needed at least one of run_only, run_always, send_original, send_results, "
        "send_deidentified, priority_floor, retention_days",
        "rules: two are called 'a', needed a name for each",
    ]


@pytest.mark.parametrize(
    "when",
    ["{}", "{ tag = 'Modality' }", "{ tag = 'Modality', equals = 'CT', contains = 'C' }", "{ all = [] }", "{ any = 3 }",
     "{ not = [] }", "{ contrast = 'yes' }", "{ slice_thickness_mm = 5 }", "{ weekday = 'Sonntag' }", "'CT'",
     "{ contrast = true, orientation = 'axial' }", "{ tag = 'KVP', at_least = '5' }", "{ eval = 'True' }"],
)  # fmt: skip
def test_a_condition_that_is_none_is_refused(tmp_path, when):
    assert (
        len(mistakes(tmp_path, f'[[rules]]\nname = "a"\nwhen = {when}\nthen = {{ priority_floor = "urgent" }}\n')) == 1
    )


@pytest.mark.parametrize("action", ["send_original", "send_results"])
def test_a_destination_of_deidentified_copies_gets_nothing_else(tmp_path, action):
    text = f"""
[[rules]]
name = "research"
then = {{ send_deidentified = ["NEURO", "PACS"] }}
[[rules]]
name = "other"
then = {{ {action} = ["NEURO"] }}
"""

    assert mistakes(tmp_path, text) == [
        "send_deidentified: NEURO gets originals or results by another rule",
        "send_deidentified: PACS gets results, needed send = [] in its settings",
    ]


def test_a_number_is_compared_as_a_number(tmp_path):
    (rule,) = read(
        tmp_path,
        '[[rules]]\nname="a"\nwhen = { tag = "KVP", equals = 120 }\nthen = { run_only = ["us-breast-lesion"] }',
    )

    assert rule.when == Question(Tag("00180060", "KVP"), Between(120, 120))


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["all", "any", "not", "tag", "time", "x"]), inner),
))  # fmt: skip
def test_no_condition_however_strange_breaks_the_reader(when):
    from deploy.rule_file import _Reader

    reader = _Reader(KNOWN)
    reader.rules({"rules": [{"name": "a", "when": when, "then": when}]})

    assert reader.mistakes
