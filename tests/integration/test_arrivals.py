"""The short way of an arrival leaves the rows that the long way leaves, and answers only for what it committed."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, select

from storage.arrivals import ArrivalRows
from storage.database import connect
from storage.schema import instance_conflicts, instances, studies
from tests.builders import MORNING, STUDY, FrozenClock, an_instance
from triage.study import ReceivedInstance, Registration
from triage.workflow import Receiving

NEW, DUPLICATE, CONFLICT = Registration.NEW, Registration.DUPLICATE, Registration.CONFLICT
ARRIVALS = {
    "one more": [an_instance(1)],
    "two more": [an_instance(1), an_instance(2)],
    "the same again": [an_instance(0, content="first")],
    "other bytes": [an_instance(0, content="other")],
    "one twice": [an_instance(1), an_instance(1)],
    "one with other bytes at once": [an_instance(1), an_instance(1, content="other")],
    "more urgent": [an_instance(1, order_priority="STAT")],
    "less urgent": [an_instance(1, order_priority="LOW")],
    "mixed": [an_instance(1), an_instance(2, order_priority="STAT"), an_instance(0, content="first"), an_instance(3)],
}


def rows_of(engine: Engine) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table))))
            for table in (studies, instances, instance_conflicts)
        }


def outcome_of(
    receiving: Receiving, engine: Engine, clock: FrozenClock, arrived: list[ReceivedInstance], order: str, closed: bool
) -> tuple[object, ...]:
    """Return what the arrival was told and every row after it, on a database that holds one instance before."""
    with engine.begin() as connection:
        for table in (instance_conflicts, instances, studies):
            connection.execute(table.delete())
    clock.time = MORNING
    receiving.register_instance(an_instance(0, content="first", order_priority=order))
    if closed:
        clock.forward(seconds=60)
        assert receiving.close_quiet_studies() == (STUDY,)
    clock.forward(seconds=1)
    return list(receiving.register_instances(arrived)), rows_of(engine)


@pytest.mark.parametrize("arrived", ARRIVALS.values(), ids=ARRIVALS)
def test_the_short_way_and_the_long_way_leave_the_same(receiving, engine, clock, arrived):
    long_way = replace(receiving, arrivals=None)
    for order in ("", "HIGH", "STAT"):
        for closed in (False, True):
            expected = outcome_of(long_way, engine, clock, arrived, order, closed)

            assert outcome_of(receiving, engine, clock, arrived, order, closed) == expected


def test_the_usual_arrival_takes_the_short_way(receiving, arrivals, clock):
    receiving.register_instance(an_instance(0))

    short = arrivals.continue_studies([an_instance(1), an_instance(2, order_priority="STAT")], clock.now())

    assert short == {(an_instance(1).header.image.sop_instance_uid, an_instance(1).file.sha256)}


def test_without_a_database_the_short_way_answers_for_nothing(postgres_url, clock):
    nowhere = ArrivalRows(connect(postgres_url.replace("/postgres?", "/missing?")))

    assert nowhere.continue_studies([an_instance(0)], clock.now()) == frozenset()


def test_registration_is_told_in_the_order_of_the_call(receiving):
    receiving.register_instances([an_instance(0, content="first"), an_instance(1)])

    told = receiving.register_instances(
        [an_instance(2), an_instance(0, content="other"), an_instance(1), an_instance(3), an_instance(3)]
    )

    assert told == [NEW, CONFLICT, DUPLICATE, NEW, DUPLICATE]
