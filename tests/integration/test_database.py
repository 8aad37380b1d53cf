"""The database itself: the schema, the embedded server, and jobs that share a transaction with rows."""

import os
import signal

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from storage.database import connect, is_reachable, migrate
from storage.embedded import start_embedded
from storage.schema import metadata
from storage.schema_of_people import notification_events, notifications
from tests.builders import STUDY, an_instance
from triage.errors import StoreUnavailable
from triage.priority import Priority


def test_the_migrations_make_the_schema_that_the_code_uses(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_object": lambda _o, name, _t, _r, _c: not (name or "").startswith(("procrastinate", "alembic"))
            },
        )
        differences = compare_metadata(context, metadata)

    assert differences == []
    assert {notification_events.name, notifications.name} <= metadata.tables.keys()


def test_migrating_twice_changes_nothing(engine):
    migrate(engine)

    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["0017"]


def test_the_embedded_server_comes_back_after_kill_9_with_what_was_committed(tmp_path):
    first = start_embedded(tmp_path / "postgres")
    engine = connect(first.url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept AS SELECT 42 AS answer"))
    engine.dispose()
    postmaster = int((tmp_path / "postgres" / "postmaster.pid").read_text().splitlines()[0])

    os.kill(postmaster, signal.SIGKILL)
    second = start_embedded(tmp_path / "postgres")

    engine = connect(second.url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT answer FROM kept")).scalar_one() == 42
    engine.dispose()
    second.stop()
    assert not is_reachable(connect(second.url))


def test_a_server_that_runs_is_taken_over_and_a_stopped_one_started(tmp_path):
    first = start_embedded(tmp_path / "postgres")
    second = start_embedded(tmp_path / "postgres")
    second.stop()
    third = start_embedded(tmp_path / "postgres")
    third.stop()

    assert (first.was_running, second.was_running, third.was_running) == (False, True, False)


def test_a_lost_database_is_told_in_the_words_of_the_domain(receiving, transactions, monkeypatch):
    elsewhere = connect("postgresql://postgres@/nowhere?host=/nonexistent")
    lost = type(transactions)(elsewhere)

    with pytest.raises(StoreUnavailable, match="database: "), lost.begin() as records:
        records.studies.find(STUDY)


def test_a_failure_inside_a_transaction_leaves_neither_row_nor_job(receiving, transactions, engine):
    receiving.register_instance(an_instance(0))

    with pytest.raises(ZeroDivisionError), transactions.begin() as records:
        study = records.studies.get(STUDY)
        records.queue.defer_triage(STUDY, study.revision, study.priority)
        raise ZeroDivisionError

    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM procrastinate_jobs")).scalar_one() == 0


def test_more_urgent_jobs_are_fetched_first(transactions, engine):
    with transactions.begin() as records:
        for band in (Priority.ROUTINE, Priority.CRITICAL, Priority.URGENT):
            records.queue.defer_triage(STUDY, int(band), band)

    with engine.connect() as connection:
        by_priority = text("SELECT args->>'revision' FROM procrastinate_jobs ORDER BY priority DESC, id")
        assert connection.execute(by_priority).scalars().all() == ["1", "2", "3"]
