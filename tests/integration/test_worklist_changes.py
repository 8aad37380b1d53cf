"""The change feed on a real database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from sqlalchemy import Engine, text

from storage.change_feed import ChangeListener, StudyChange
from storage.database import connect
from tests.browser.department import Department
from triage.errors import StoreUnavailable
from triage.study import SeriesHeader, StudyHeader

CT = SeriesHeader("", "CT", "HEAD")
NOBODY = StudyHeader("")


def test_a_committed_change_is_heard_at_once(engine):
    department = Department(engine)

    async def scenario(feed: AsyncIterator[Any]) -> tuple[str, list[StudyChange], float]:
        uid = await asyncio.to_thread(department.receives, NOBODY, CT)
        began = asyncio.get_running_loop().time()
        heard = await anext(feed)
        return uid, list(heard), asyncio.get_running_loop().time() - began

    uid, heard, seconds = following(engine, scenario)

    assert [change.study_instance_uid for change in heard] == [uid]
    assert seconds < 1.0  # 5 s would be the poll


def test_a_change_that_commits_after_a_later_one_is_not_lost(engine):
    insert = text("INSERT INTO study_changes (study_instance_uid) VALUES (:uid)")

    async def scenario(feed: AsyncIterator[Any]) -> list[str]:
        with engine.connect() as slow:
            slow.execute(insert, {"uid": "slow"})
            _commit(engine, insert, "quick")
            first = await anext(feed)
            slow.execute(text("SELECT pg_notify('study_changes', '')"))
            slow.commit()
        return [change.study_instance_uid for change in [*first, *await anext(feed)]]

    assert following(engine, scenario) == ["quick", "slow"]


def test_a_resumed_stream_is_told_what_it_missed(engine):
    department = Department(engine)
    missed = department.receives(NOBODY, CT)

    told = asyncio.run(ChangeListener(engine).since(0))

    assert missed in {change.study_instance_uid for change in told}


def test_a_lost_connection_is_said_and_not_swallowed(engine):
    async def scenario(feed: AsyncIterator[Any]) -> None:
        with engine.begin() as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%study_changes%'"
                     " AND datname = current_database() AND pid <> pg_backend_pid()")
            )  # fmt: skip
        await anext(feed)

    with pytest.raises(StoreUnavailable):
        following(engine, scenario)


def test_an_unreachable_database_is_said(tmp_path):
    engine = connect(f"postgresql://nobody@/nothing?host={tmp_path}")

    with pytest.raises(StoreUnavailable):
        following(engine, lambda _: asyncio.sleep(0))
    with pytest.raises(StoreUnavailable):
        asyncio.run(ChangeListener(engine).since(0))


def following(engine: Engine, scenario: Callable[[AsyncIterator[Any]], Coroutine[Any, Any, Any]]) -> Any:
    """Run `scenario` with a feed that is in place."""

    async def run() -> Any:
        feed = ChangeListener(engine).follow()
        try:
            async with asyncio.timeout(20):
                assert await anext(feed) == ()
                return await scenario(feed)
        finally:
            await feed.aclose()

    return asyncio.run(run())


def _commit(engine: Engine, insert: Any, uid: str) -> None:
    with engine.begin() as connection:
        connection.execute(insert, {"uid": uid})
        connection.execute(text("SELECT pg_notify('study_changes', '')"))
