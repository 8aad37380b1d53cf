"""The list keeps what it told of a row; it must be what it would tell if it had kept nothing, after every change."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from storage.database import DatabaseTransactions
from storage.retention import Retention, RetentionRule
from storage.worklist_rows import WorklistReader
from tests.browser.department import HAEMORRHAGE, ICH, Said
from tests.builders import FrozenClock
from triage.audit import Actor
from triage.identifiers import SopInstanceUid, StudyInstanceUid
from triage.priority import Priority, TargetTimes
from triage.reader_work import ReaderWork
from triage.study import InstanceHeader, ReceivedInstance, SeriesHeader, Source, StoredFile, StudyHeader
from worklist.ports import ListFilter
from worklist.schemas import PageFacts, WorklistView, row_view
from worklist.told_rows import ToldRows

CT = SeriesHeader("", "CT", "HEAD", "AX 5mm")
ANN, LEA = Actor("ann", "reader"), Actor("lea", "lead", leads=True)


@pytest.fixture
def clock():
    return FrozenClock(datetime.now(UTC))


@pytest.fixture
def asked(engine):
    """A reader that counts the rows it had to read."""

    class Counting(WorklistReader):
        rows_read = 0

        def page(self, wanted, known=()):
            page = super().page(wanted, known)
            Counting.rows_read += len(page.rows)
            return page

    return Counting(engine)


def another_slice(engine, uid: StudyInstanceUid) -> ReceivedInstance:
    """An instance as the study's first one, of another series."""
    reader = WorklistReader(engine)
    (series,) = reader.detail(uid).series
    header = replace(series.header, series_instance_uid=f"{uid}.2", modality="SR")
    image = replace(series.images[0], sop_instance_uid=SopInstanceUid(f"{uid}.2.1"))
    whole = InstanceHeader(reader.detail(uid).row.study.header, header, image)
    return ReceivedInstance(whole, StoredFile("c" * 64, 9, "cc/c.dcm", "1.2.840.10008.1.2.1"), Source("PACS", "", "a2"))


def removes_images(engine, uid: StudyInstanceUid) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM procrastinate_jobs"))
    now = datetime.now(UTC) + timedelta(days=2)
    retention = Retention(engine, RetentionRule(keep=timedelta(days=1), must_be_read=False), nullcontext)
    (study,) = [one for one in retention.removable(now) if one.study_instance_uid == uid]
    retention.remove(study, now)


def test_what_is_kept_of_a_row_never_outlives_a_change(engine, department, receiving, asked, clock):
    others = [department.receives(StudyHeader("", patient_name=f"No^{number}"), CT) for number in range(3)]
    uid = department.receives(StudyHeader("", patient_name="Doe^Jane", patient_id="4711"), CT, minutes_ago=9)
    work = ReaderWork(DatabaseTransactions(engine), clock, TargetTimes())
    told = ToldRows(asked, clock)
    changes: dict[str, Callable[[], object]] = {
        "an instance arrives": lambda: receiving.register_instance(another_slice(engine, uid)),
        "it is analysed": lambda: department.answers(uid, Said(ICH, HAEMORRHAGE, 0.9)),
        "it is claimed": lambda: work.claim(uid, ANN),
        "it is moved": lambda: work.reprioritise(uid, LEA, Priority.ROUTINE, "known", timedelta(hours=2)),
        "that is undone": lambda: work.undo(uid, LEA),
        "it is read": lambda: work.mark_read(uid, ANN),
        "its report goes out": lambda: department.sends(uid, {"PACS": ""}),
        "its images are removed": lambda: removes_images(engine, uid),
    }
    seen = [told.page(ListFilter())]

    for what, change in changes.items():
        change()
        before = type(asked).rows_read
        seen.append(told.page(ListFilter()))

        assert type(asked).rows_read == before + 1, what
        assert json.loads(seen[-1]) == afresh(asked, clock), what
        assert seen[-1] != seen[-2], what
    assert {row["study_instance_uid"] for row in json.loads(seen[-1])["rows"]} == {uid, *others}


def test_an_unchanged_page_reads_no_row_again(department, asked, clock):
    for number in range(5):
        department.receives(StudyHeader("", patient_name=f"No^{number}"), CT)
    told = ToldRows(asked, clock)
    first = told.page(ListFilter(limit=3))
    before = type(asked).rows_read

    assert told.page(ListFilter(limit=3)) == first
    assert type(asked).rows_read == before
    page = WorklistView.model_validate_json(first)
    behind = WorklistView.model_validate_json(told.page(ListFilter(limit=3, after=page.next_after)))
    assert (len(page.rows), len(behind.rows), behind.next_after, page.total) == (3, 2, None, 5)


def afresh(reader: WorklistReader, clock: FrozenClock) -> dict[str, object]:
    page = WorklistReader(reader.engine).page(ListFilter())
    facts = PageFacts(total=page.total, next_after=None, change_id=page.change_id, server_time=clock.now())
    rows = [row_view(row).model_dump(mode="json") for row in page.rows]
    return {"rows": rows, **facts.model_dump(mode="json")}
