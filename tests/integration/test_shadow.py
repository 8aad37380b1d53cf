"""A model in the shadow on a real database: it sees what was triaged, and changes nothing of it."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from deploy.jobs import open_queue
from deploy.shadow_worker import add_task
from models.lifecycle import Decision, ModelAction, ModelRecord, ModelState
from models.registry import Origin
from storage.model_registry import ModelRows
from storage.shadow import live_pairs
from storage.work_queue import SHADOW_QUEUE
from tests.builders import HEAD_CT, MODEL, MORNING, STUDY, an_analysis
from tests.integration.test_jobs import Steps, work_once
from tests.integration.test_workflow import ScriptedAnalyser, jobs, receive, the_study
from triage.errors import InvalidGeometry, StoreUnavailable
from triage.findings import ModelIdentity
from triage.priority import TargetTimes
from triage.shadow import Shadow
from triage.workflow import Triage

NEWER = ModelIdentity("ct-head-haemorrhage", "0.2.0", "e" * 64)


def newer_says(probability: float):
    found = an_analysis(probability)
    return replace(found, model=NEWER, findings=tuple(replace(one, model=NEWER) for one in found.findings))


@pytest.fixture
def rows(engine):
    """The registry with the model in service and a newer one of the same task."""
    rows, decision = ModelRows(engine), Decision("ann", MORNING, "")
    for identity in (MODEL, NEWER):
        rows.register([ModelRecord(identity, "bleeding", "CC0", Origin.INSTALLED, "/m", (), HEAD_CT)], decision)
    rows.move(rows.all()[0].id, ModelState.ACTIVE, ModelAction.ACTIVATE, decision)
    return rows


@pytest.fixture
def triaged(rows, receiving, transactions, clock):
    """Return a function that triages a study, the newer model being in the shadow if told so."""

    def go(in_shadow: bool):
        if in_shadow:
            rows.move(rows.all()[1].id, ModelState.SHADOW, ModelAction.SHADOW, Decision("ann", MORNING, ""))
        receive(receiving, *range(6))
        clock.forward(seconds=6)
        receiving.close_quiet_studies()
        Triage(transactions, clock, ScriptedAnalyser([an_analysis(0.9)]), TargetTimes()).triage_study(STUDY, 1)
        return the_study(transactions)

    return go


def test_a_job_waits_behind_all_others_only_where_a_model_is_in_the_shadow(rows, triaged, engine):
    triaged(in_shadow=True)

    with engine.connect() as connection:
        found = connection.execute(text("SELECT queue_name, priority FROM procrastinate_jobs ORDER BY priority")).all()
    assert found[0] == ("shadow", -100)
    assert {one.queue_name for one in found[1:]} == {"triage", "delivery"}


def test_without_a_model_in_the_shadow_there_is_no_job(triaged, engine):
    triaged(in_shadow=False)

    assert "watch_study" not in [name for name, _ in jobs(engine)]


def test_the_shadow_answers_apart_and_the_study_stays_as_it_is(rows, triaged, transactions, clock, engine):
    before = triaged(in_shadow=True)
    shadow = Shadow(transactions, clock, ScriptedAnalyser([newer_says(0.2), newer_says(0.7)], models=(NEWER,)))

    shadow.watch_study(STUDY, 1)
    shadow.watch_study(STUDY, 1)

    (pair,) = live_pairs(engine, rows.all()[1])
    assert pair.shadow.analysis is not None
    assert pair.served is not None
    assert (pair.shadow.analysis.findings[0].probability, pair.served.findings[0].probability) == (0.2, 0.9)
    assert the_study(transactions) == before
    with transactions.begin() as records:
        assert [one.analysis.model for one in records.results.analyses_of(STUDY)] == [MODEL]


def test_a_failure_in_the_shadow_is_kept_as_a_reason_and_harms_nothing(rows, triaged, transactions, clock, engine):
    before = triaged(in_shadow=True)
    shadow = Shadow(transactions, clock, ScriptedAnalyser([InvalidGeometry("slices 3 and 4 overlap")], models=(NEWER,)))

    shadow.watch_study(STUDY, 1)

    (pair,) = live_pairs(engine, rows.all()[1])
    assert (pair.shadow.analysis, pair.shadow.reason) == (None, "slices 3 and 4 overlap")
    assert the_study(transactions) == before


def test_an_error_that_may_pass_is_tried_again_and_any_other_ends_the_job(triaged, database_url, engine):
    triaged(in_shadow=True)
    queue, steps = open_queue(database_url), Steps(StoreUnavailable("away"), ValueError("odd"))
    add_task(queue, steps)

    work_once(queue, SHADOW_QUEUE)
    with engine.begin() as connection:
        waits = connection.execute(text("UPDATE procrastinate_jobs SET scheduled_at = NULL RETURNING 1")).all()
    work_once(queue, SHADOW_QUEUE)

    assert len(waits) == 3
    assert steps.asked == [("watch_study", STUDY, 1)] * 2
    with engine.connect() as connection:
        status = connection.execute(text("SELECT status FROM procrastinate_jobs WHERE queue_name = 'shadow'"))
        assert status.scalar_one() == "succeeded"
