"""The ladder: who is told when, and when it stops."""

from datetime import timedelta

import pytest

from triage.notifications import Ending, EventKind, OpenEvent, Step, decide

STUDY, ALARM = EventKind.CRITICAL_STUDY, EventKind.ALARM
AT_ONCE = Step(timedelta(0), ("pager",), frozenset(EventKind))
LATER = Step(timedelta(minutes=10), ("pager", "lead"), frozenset({STUDY}))
LADDER = (AT_ONCE, LATER)


def an_event(minutes=0.0, kind=STUDY, **more):
    return OpenEvent(1, kind, "2.25.1", timedelta(minutes=minutes), **more)


@pytest.mark.parametrize(("minutes", "steps"), [(0, [1]), (9.9, [1]), (10, [1, 2]), (600, [1, 2])])
def test_each_step_is_due_so_long_after_the_event(minutes, steps):
    assert [number for number, _ in decide(an_event(minutes), LADDER).due] == steps


def test_a_step_tells_only_of_its_kinds():
    assert decide(an_event(60, ALARM), LADDER).due == ((1, AT_ONCE),)


@pytest.mark.parametrize(
    ("event", "ending"),
    [
        (an_event(60, acknowledged_by="rad"), Ending.ACKNOWLEDGED),
        (an_event(60, is_over=True), Ending.OVER),
        (an_event(60, acknowledged_by="rad", is_over=True), Ending.ACKNOWLEDGED),
    ],
)
def test_nobody_more_is_told_once_somebody_acknowledged_or_it_is_over(event, ending):
    assert decide(event, LADDER) == decide(event, LADDER[:1])
    assert (decide(event, LADDER).due, decide(event, LADDER).ending) == ((), ending)


def test_the_ladder_ends_when_every_step_was_told_and_not_when_it_is_only_due():
    assert decide(an_event(10, steps_told=1), LADDER).ending is None
    assert decide(an_event(10, steps_told=2), LADDER).ending is Ending.NOBODY_LEFT
    assert decide(an_event(0, ALARM, steps_told=1), LADDER).ending is Ending.NOBODY_LEFT


def test_what_no_step_asks_for_has_no_ladder():
    assert decide(an_event(0, ALARM), (LATER,)).ending is Ending.NO_LADDER
