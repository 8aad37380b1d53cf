"""Jobs on the real queue: tried again when that can help, taken up when their worker died, and never in silence."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from deploy.delivery_worker import add_tasks
from deploy.jobs import BackOff, open_queue, take_up_lost_jobs
from deploy.triage_worker import add_task
from storage.work_queue import TRIAGE_QUEUE, queue_of
from tests.builders import STUDY
from triage.errors import DestinationRefused, DestinationUnavailable, StoreUnavailable
from triage.identifiers import SopInstanceUid
from triage.priority import Priority


class Steps:
    """Stands where the workflow stands, and notes what it is asked to do."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.asked: list[tuple[object, ...]] = []

    def __getattr__(self, name: str):
        def step(*arguments: object) -> None:
            self.asked.append((name, *arguments))
            if self.failures and not name.startswith("mark"):
                raise self.failures.pop(0)

        return step


def work_once(queue, name: str) -> None:
    """Do what is due now, and return."""

    async def run() -> None:
        async with queue.open_async():
            await queue.run_worker_async(queues=[name], wait=False, install_signal_handlers=False)

    asyncio.run(run())


def job(engine) -> SimpleNamespace:
    with engine.connect() as connection:
        due = "extract(epoch FROM scheduled_at - now()) AS due_in_s"
        row = connection.execute(text(f"SELECT status::text, attempts, {due} FROM procrastinate_jobs")).one()
        return SimpleNamespace(**row._mapping)


@pytest.fixture
def deferred(transactions):
    with transactions.begin() as records:
        records.queue.defer_triage(STUDY, 1, Priority.ROUTINE)


def test_a_job_is_done_with_what_was_deferred(deferred, database_url, engine):
    queue, steps = open_queue(database_url), Steps()
    add_task(queue, steps)

    work_once(queue, TRIAGE_QUEUE)

    assert steps.asked == [("triage_study", STUDY, 1)]
    assert job(engine).status == "succeeded"


def test_what_may_pass_is_tried_again_later(deferred, database_url, engine):
    queue, steps = open_queue(database_url), Steps(StoreUnavailable("database: away"))
    add_task(queue, steps)

    work_once(queue, TRIAGE_QUEUE)

    waiting = job(engine)
    assert (waiting.status, waiting.attempts) == ("todo", 1)
    assert 0 < waiting.due_in_s < 3


def test_what_nobody_foresaw_marks_the_study_and_ends_the_job(deferred, database_url, engine):
    queue, steps = open_queue(database_url), Steps(ZeroDivisionError())
    add_task(queue, steps)

    work_once(queue, TRIAGE_QUEUE)

    assert steps.asked[-1] == ("mark_failed", STUDY, 1, "unexpected ZeroDivisionError")
    assert job(engine).status == "succeeded"


def test_a_delivery_is_tried_again_while_the_destination_is_away(transactions, database_url, engine):
    with transactions.begin() as records:
        records.queue.defer_delivery(SopInstanceUid("2.25.7"), "PACS", Priority.CRITICAL)
    queue, steps = open_queue(database_url), Steps(DestinationUnavailable("PACS: no association"))
    add_tasks(queue, steps)

    work_once(queue, queue_of("PACS"))

    assert steps.asked == [("deliver_result", "2.25.7", "PACS")]
    assert job(engine).status == "todo"


def test_the_job_of_a_dead_worker_is_taken_up(deferred, database_url, engine):
    with engine.begin() as connection:
        statement = (
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute') RETURNING id"
        )
        worker = connection.execute(text(statement)).scalar_one()
        connection.execute(text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = :id"), {"id": worker})
    queue = open_queue(database_url)

    async def reap() -> int:
        async with queue.open_async():
            return await take_up_lost_jobs(queue)

    assert asyncio.run(reap()) == 1
    assert job(engine).status == "todo"


@pytest.mark.parametrize(("attempts", "low", "high"), [(0, 1, 1), (1, 1, 2), (3, 4, 8), (6, 32, 64), (50, 150, 300)])
def test_the_pause_doubles_with_jitter_up_to_five_minutes(attempts, low, high):
    for _ in range(50):
        decision = BackOff().get_retry_decision(
            exception=DestinationUnavailable("away"), job=SimpleNamespace(attempts=attempts)
        )
        # The pause is rounded to whole seconds and counted from the moment of the decision.
        assert low - 0.5 <= (decision.retry_at - datetime.now(UTC)).total_seconds() <= high + 0.5


def test_what_stays_wrong_is_not_tried_again():
    assert BackOff().get_retry_decision(exception=DestinationRefused("no"), job=SimpleNamespace(attempts=0)) is None
