"""Changes reach every open stream, also after the feed was lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from triage.errors import StoreUnavailable
from triage.identifiers import StudyInstanceUid
from worklist.live import LiveChanges, Watcher, wait_for


@dataclass(frozen=True, slots=True)
class Changed:
    """A change, as the feed tells it."""

    change_id: int
    study_instance_uid: StudyInstanceUid


@dataclass(slots=True)
class ScriptedFeed:
    """A feed that plays its scripts, one for each time that it is followed, and then stays silent."""

    scripts: list[list[Sequence[Changed] | StoreUnavailable]]
    followed: int = 0
    told: list[Sequence[Changed]] = field(default_factory=list)

    async def follow(self) -> AsyncIterator[Sequence[Changed]]:
        self.followed += 1
        for entry in self.scripts.pop(0) if self.scripts else []:
            if isinstance(entry, StoreUnavailable):
                raise entry
            yield entry
        await asyncio.Event().wait()

    async def since(self, change_id: int) -> Sequence[Changed]:
        return [one for one in self.told if one.change_id > change_id]


def changed(number: int, uid: str = "1.2.3") -> Changed:
    return Changed(number, StudyInstanceUid(uid))


def test_a_slow_watcher_gathers_each_study_once():
    async def scenario() -> tuple[list[StudyInstanceUid], list[StudyInstanceUid], int]:
        watcher = Watcher()
        watcher.tell([changed(4, "1"), changed(5, "2")])
        watcher.tell([changed(3, "1")])
        return watcher.take(), watcher.take(), watcher.last_id

    assert asyncio.run(scenario()) == (["1", "2"], [], 5)


def test_every_watcher_hears_of_a_change():
    async def scenario() -> list[list[StudyInstanceUid]]:
        live = LiveChanges(ScriptedFeed([[(), [changed(1)]]]))
        with live.watch() as one, live.watch() as other:
            following = asyncio.create_task(live.run())
            await until(lambda: one.last_id == 1)
            heard = [one.take(), other.take()]
            await stop(following)
        return heard

    assert asyncio.run(scenario()) == [["1.2.3"], ["1.2.3"]]


def test_a_lost_feed_is_followed_again_and_the_watchers_are_woken():
    async def scenario() -> tuple[bool, int, list[StudyInstanceUid]]:
        feed = ScriptedFeed([[(), StoreUnavailable("gone")], [(), [changed(7)]]])
        live = LiveChanges(feed)
        with live.watch() as watcher:
            following = asyncio.create_task(live.run())
            was_woken = await wait_for(watcher, 5)
            await until(lambda: watcher.last_id == 7)
            await stop(following)
            return was_woken, feed.followed, watcher.take()

    assert asyncio.run(scenario()) == (True, 2, ["1.2.3"])


def test_a_closed_watcher_hears_nothing():
    async def scenario() -> list[StudyInstanceUid]:
        live = LiveChanges(ScriptedFeed([[(), [changed(1)]]]))
        with live.watch() as closed:
            pass
        with live.watch() as other:
            following = asyncio.create_task(live.run())
            await until(lambda: other.last_id == 1)
            await stop(following)
        return closed.take()

    assert asyncio.run(scenario()) == []


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
