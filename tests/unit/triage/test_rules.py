"""What rules find in a series, what they decide together, and that they say why."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.priority import Priority
from triage.rules import (
    Actions,
    All,
    Asked,
    Between,
    Contains,
    Daily,
    Either,
    Exists,
    Facts,
    Not,
    OneOf,
    Question,
    Restriction,
    Rule,
    Tag,
    decide,
    holds,
)  # fmt: skip

SUNDAY_NIGHT = datetime(2026, 3, 1, 22, 30, tzinfo=ZoneInfo("Europe/Zurich"))
MODALITY, AGE, DESCRIPTION = Tag("00080060", "Modality"), Tag("00101010", "PatientAge"), Tag("0008103E", "Description")
AXIAL, CORONAL, SAGITTAL = (
    ("1", "0", "0", "0", "1", "0"),
    ("1", "0", "0", "0", "0", "-1"),
    ("0", "1", "0", "0", "0", "-1"),
)


def series(sources=("CT1",), arrived=SUNDAY_NIGHT, **values):
    return Facts({tag.removeprefix("t"): one for tag, one in values.items()}, sources, arrived)


def matches(subject, expected, facts):
    return holds(Question(subject, expected), facts).holds


@pytest.mark.parametrize(
    ("subject", "expected", "values", "answer"),
    [
        (MODALITY, OneOf(("ct", "MR")), {"t00080060": ("CT",)}, True),
        (MODALITY, OneOf(("MR",)), {"t00080060": ("CT",)}, False),
        (MODALITY, OneOf(("MR",)), {}, False),
        (DESCRIPTION, Contains("Stroke"), {"t0008103E": ("head STROKE thin",)}, True),
        (MODALITY, Exists(True), {"t00080060": ()}, True),
        (MODALITY, Exists(False), {}, True),
        (AGE, Between(high=15), {"t00101010": ("018M",)}, True),
        (AGE, Between(high=15), {"t00101010": ("018Y",)}, False),
        (AGE, Between(high=15), {"t00101010": ("young",)}, False),
        (Asked.SLICE_THICKNESS, Between(1, 5), {"t00180050": ("5.0",)}, True),
        (Asked.SLICE_THICKNESS, Between(1, 5), {"t00180050": ("5.1",)}, False),
        (Asked.SLICE_THICKNESS, Between(1, 5), {}, False),
        (Asked.ORIENTATION, OneOf(("axial",)), {"t00200037": AXIAL}, True),
        (Asked.ORIENTATION, OneOf(("coronal",)), {"t00200037": CORONAL}, True),
        (Asked.ORIENTATION, OneOf(("sagittal",)), {"t00200037": SAGITTAL}, True),
        (Asked.ORIENTATION, OneOf(("axial",)), {"t00200037": ("1", "0")}, False),
        (Asked.CONTRAST, OneOf(("no",)), {}, True),
        (Asked.CONTRAST, OneOf(("no",)), {"t00180010": ("none",)}, True),
        (Asked.CONTRAST, OneOf(("yes",)), {"t00180010": ("Iohexol 300",)}, True),
        (Asked.SOURCE, OneOf(("CT1",)), {}, True),
        (Asked.SOURCE, OneOf(("CT2",)), {}, False),
        (Asked.WEEKDAY, OneOf(("sat", "sun")), {}, True),
        (Asked.TIME, Daily(time(18), time(7)), {}, True),
        (Asked.TIME, Daily(time(7), time(18)), {}, False),
    ],
)
def test_a_question_is_answered_by_what_the_series_says(subject, expected, values, answer):
    assert matches(subject, expected, series(**values)) is answer


@given(st.times(), st.times(), st.times())
def test_a_part_of_the_day_and_the_rest_of_it_never_overlap(start, end, moment):
    inside, outside = Daily(start, end), Daily(end, start)
    said = (f"{moment:%H:%M}",)

    if start != end:
        assert inside.is_met_by(said) is not outside.is_met_by(said)


def test_all_any_and_not_combine_and_every_part_says_what_it_needs_and_found():
    condition = All((
        Question(MODALITY, OneOf(("CT",))),
        Either((Question(Asked.CONTRAST, OneOf(("yes",))), Not(Question(Asked.SLICE_THICKNESS, Between(high=5))))),
    ))  # fmt: skip

    answer = holds(condition, series(t00080060=("CT",), t00180050=("10.0",)))

    assert answer.holds
    assert [(part.needed, part.found, part.holds) for part in answer.parts] == [
        ("Modality: CT", "CT", True), ("any of", "", True),
    ]  # fmt: skip
    contrast, thick = answer.parts[1].parts
    assert (contrast.holds, contrast.found) == (False, "no")
    assert (thick.holds, thick.parts[0].needed, thick.parts[0].found) == (True, "slice_thickness_mm: at most 5", "10.0")


def a_rule(name, modality="CT", **then):
    return Rule(name, Question(MODALITY, OneOf((modality,))), Actions(**then))


CT_HEAD = series(t00080060=("CT",))


def test_one_series_must_satisfy_the_whole_condition():
    both = All((Question(MODALITY, OneOf(("CT",))), Question(DESCRIPTION, Contains("thin"))))
    apart = [CT_HEAD, series(t00080060=("MR",), t0008103E=("thin",))]

    assert decide([Rule("both", both, Actions(send_original=("A",)))], apart).rules == ()


def test_of_several_floors_the_most_urgent_counts_and_is_named():
    rules = [
        a_rule("urgent", priority_floor=Priority.URGENT),
        a_rule("critical", priority_floor=Priority.CRITICAL),
        a_rule("other", "MR", priority_floor=Priority.CRITICAL),
    ]

    routing = decide(rules, [CT_HEAD])

    assert (routing.priority_floor, routing.words) == (Priority.CRITICAL, "rule critical: at least critical")


def test_models_are_kept_away_by_any_rule_that_does_not_name_them_unless_a_rule_always_wants_them():
    rules = [
        a_rule("first", run_only=("a", "b", "c")),
        a_rule("second", run_only=("b", "c")),
        a_rule("third", run_always=("d",)),
    ]

    routing = decide(rules, [CT_HEAD])

    assert routing.restrictions == (Restriction("first", ("a", "b", "c")), Restriction("second", ("b", "c")))
    assert [routing.why_not_asked(model) for model in "abcde"] == [
        "rule second asks only b and c", "", "", "", "rule first asks only a and b and c",
    ]  # fmt: skip


def test_without_a_rule_that_matches_nothing_changes():
    assert decide([a_rule("mr", "MR", run_only=("a",))], [CT_HEAD]) == decide([], [CT_HEAD])
    assert decide([], []).words == ""


@pytest.mark.parametrize(
    ("days", "together"), [((None, None), None), ((3, None, 5), 5), ((3, 0), 0), ((0,), 0), ((1, 2), 2)]
)
def test_of_several_retentions_the_longest_counts_and_none_is_longer_than_for_ever(days, together):
    rules = [Rule(str(number), All(()), Actions(retention_days=one)) for number, one in enumerate(days)]

    assert decide(rules, [CT_HEAD]).retention_days == together
