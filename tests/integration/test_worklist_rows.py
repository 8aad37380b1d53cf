"""The rows of the list on a real database."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from storage.incidents import IncidentReader
from storage.worklist_rows import WorklistReader
from storage.workload import WorkloadReader
from tests.browser.department import COLLAPSED_LUNG, HAEMORRHAGE, ICH, PNEUMOTHORAX, Said
from triage.errors import UnknownStudy
from triage.findings import AiState, Code, Mask, Measurement
from triage.identifiers import SopInstanceUid, StudyInstanceUid
from triage.priority import Priority
from triage.study import SeriesHeader, StudyHeader, StudyStatus
from worklist.ports import ListFilter

CT = SeriesHeader("", "CT", "HEAD", "AX 5mm")
DX = SeriesHeader("", "DX", "CHEST", "PA")
NOBODY = StudyHeader("", patient_name="Doe^Jane", patient_id="4711", study_description="CT head")

CONTRACT = {
    "study_instance_uid", "status", "revision", "priority", "deadline", "ai_state", "reason", "instances",
    "received_at", "complete_at", "triaged_at", "delivered_at", "completed_by", "findings",
}  # fmt: skip
CONTRACT_OF_FINDING = {
    "code", "meaning", "probability", "threshold", "flagged", "model", "model_digest", "regions",
    "measurements",
}  # fmt: skip


@pytest.fixture
def reader(engine: Engine) -> WorklistReader:
    return WorklistReader(engine)


def uids(reader, **wanted):
    return [row.study.study_instance_uid for row in reader.page(ListFilter(**wanted)).rows]


def test_who_is_due_first_stands_first(department, reader):
    routine = department.receives(NOBODY, CT, minutes_ago=0)
    old_routine = department.receives(NOBODY, CT, minutes_ago=239)
    stat = department.receives(replace(NOBODY, order_priority="STAT"), CT, minutes_ago=0)
    flagged = department.receives(NOBODY, CT, minutes_ago=5)
    department.answers(flagged, Said(ICH, HAEMORRHAGE, 0.9))

    assert uids(reader) == [old_routine, flagged, stat, routine]


def test_pages_follow_one_another_without_a_gap_or_a_twin(department, reader):
    arrived = {department.receives(NOBODY, CT, minutes_ago=minutes % 3) for minutes in range(7)}

    pages, after = [], None
    while page := uids(reader, limit=3, after=after):
        pages.append(page)
        after = page[-1]

    assert [len(page) for page in pages] == [3, 3, 1]
    paged = [uid for page in pages for uid in page]
    assert paged == uids(reader)
    assert set(paged) == arrived


def test_a_page_behind_an_unknown_study_is_refused(reader):
    with pytest.raises(UnknownStudy):
        reader.page(ListFilter(after=StudyInstanceUid("1.2.3")))


def test_filters_keep_what_they_name_and_total_counts_it(department, reader):
    flagged = department.receives(NOBODY, CT)
    department.answers(flagged, Said(ICH, HAEMORRHAGE, 0.9))
    chest = department.receives(NOBODY, DX)
    department.answers(chest, Said(PNEUMOTHORAX, COLLAPSED_LUNG, 0.1))

    assert uids(reader, modality="DX") == [chest]
    assert uids(reader, band=Priority.CRITICAL) == [flagged]
    assert uids(reader, ai_state=AiState.ANALYSED_NO_FLAG) == [chest]
    assert uids(reader, modality="DX", band=Priority.CRITICAL) == []
    assert reader.page(ListFilter(modality="CT", limit=1)).total == 1


def test_a_search_takes_its_words_as_they_stand(department, reader):
    percent = department.receives(replace(NOBODY, patient_name="100%_Sure^A\\B"), CT)
    accession = department.receives(replace(NOBODY, accession_number="A'; DROP TABLE studies--"), CT)

    assert uids(reader, text="100%_sure") == [percent]
    assert uids(reader, text="a\\b") == [percent]
    assert uids(reader, text="'; drop") == [accession]
    assert uids(reader, text="%") == [percent]
    assert uids(reader, text=accession) == [accession]
    assert uids(reader, text="nobody of that name") == []


def test_a_row_says_what_was_received_and_what_the_model_said(department, reader):
    uid = department.receives(replace(NOBODY, order_priority="HIGH"), CT, images=3)
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))

    (row,) = reader.page(ListFilter()).rows

    assert (row.instances, row.modalities, row.body_parts, row.source_ae_titles) == (3, ("CT",), ("HEAD",), ("CT_1",))
    assert row.study.priority is Priority.CRITICAL
    assert [finding.code for finding in row.findings] == [HAEMORRHAGE]
    assert row.analysed_revision == 1


def test_the_object_of_a_row_has_the_names_of_the_contract(department, reader):
    uid = department.receives(NOBODY, CT)
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))

    shown = reader.detail(uid).row.as_object()

    assert set(shown) == CONTRACT
    assert set(shown["findings"][0]) >= CONTRACT_OF_FINDING
    assert shown["priority"] == "CRITICAL"
    assert shown["ai_state"] == "analysed_flagged"
    assert shown["findings"][0]["model"] == "ich-ct"
    assert datetime.fromisoformat(shown["deadline"]) - datetime.fromisoformat(shown["received_at"]) == timedelta(
        minutes=15
    )


def test_a_row_says_what_was_measured_and_leaves_the_masks_where_they_are(department, reader):
    uid = department.receives(NOBODY, CT)
    volume = Measurement(Code("118565006", "SCT", "Volume"), 12.34, "mL")
    mask = Mask(SopInstanceUid(f"{uid}.1.0"), 2, 2, "eJxTAAAAEQAR")
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91, measurements=(volume,), masks=(mask,)))

    detail = reader.detail(uid)

    (finding,) = detail.row.findings
    assert (finding.measurements, finding.masks) == ((volume,), ())
    assert detail.row.as_object()["findings"][0]["measurements"] == [
        {"code": "118565006", "scheme": "SCT", "meaning": "Volume", "value": 12.34, "unit": "mL"}
    ]
    assert detail.recorded[0].analysis.findings[0].masks == (mask,)
    assert mask.packed not in json.dumps(detail.row.as_object())


def test_a_study_that_failed_shows_no_finding_of_an_earlier_revision(department, reader):
    uid = department.receives(NOBODY, CT)
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))
    department.fails_again(uid, "cannot be decoded")

    (row,) = reader.page(ListFilter()).rows

    assert row.study.ai_state is AiState.FAILED
    assert row.findings == ()
    assert len(reader.detail(uid).recorded) == 1


def test_a_study_without_images_has_a_row_all_the_same(department, reader):
    uid = department.receives(NOBODY, CT, images=0)

    (row,) = reader.page(ListFilter()).rows

    assert (row.study.study_instance_uid, row.instances, row.modalities) == (uid, 0, ())


def test_the_detail_knows_series_objects_and_deliveries(department, reader):
    uid = department.receives(NOBODY, CT, images=2)
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))
    department.sends(uid, {"PACS": "", "RIS": "0122H refused"})

    detail = reader.detail(uid)

    assert [len(series.images) for series in detail.series] == [2]
    assert [one.kind for one in detail.objects] == ["sr"]
    assert [(one.destination, one.state, one.last_error) for one in detail.deliveries] == [
        ("PACS", "delivered", ""),
        ("RIS", "refused", "0122H refused"),
    ]


def test_an_unknown_study_has_no_detail(reader):
    with pytest.raises(UnknownStudy):
        reader.detail(StudyInstanceUid("1.2.3"))


def test_the_change_id_grows_with_each_change(department, reader):
    before = reader.page(ListFilter()).change_id

    department.receives(NOBODY, CT)

    assert reader.page(ListFilter()).change_id > before


def test_incidents_tell_what_needs_a_person(department, engine):
    failed = department.receives(NOBODY, CT)
    department.fails(failed, "cannot be decoded")
    refused = department.receives(NOBODY, CT)
    department.answers(refused, Said(ICH, HAEMORRHAGE, 0.91))
    department.sends(refused, {"RIS": "0122H refused"})
    department.quarantines("no SOP Instance UID")
    department.contradicts(refused, CT)

    found = IncidentReader(engine).newest(10)

    assert found.counts == {"needs_attention": 1, "refused_delivery": 1, "conflict": 1, "quarantine": 1}
    assert {one.kind: one.study_instance_uid for one in found.incidents} == {
        "needs_attention": failed,
        "refused_delivery": refused,
        "conflict": refused,
        "quarantine": None,
    }
    assert [one.at for one in found.incidents] == sorted((one.at for one in found.incidents), reverse=True)


def test_incidents_of_a_flood_are_counted_but_not_all_told(department, engine):
    for _ in range(5):
        department.quarantines("unreadable")

    found = IncidentReader(engine).newest(2)

    assert (len(found.incidents), found.counts["quarantine"]) == (2, 5)


def test_the_workload_counts_studies_waiting_times_jobs_and_stages(department, engine):
    department.receives(NOBODY, CT, minutes_ago=10)
    done = department.receives(NOBODY, CT)
    department.answers(done, Said(ICH, HAEMORRHAGE, 0.91))

    figures = WorkloadReader(engine).read()

    assert figures.studies == {
        (StudyStatus.RECEIVING, "ROUTINE", AiState.PENDING): 1,
        (StudyStatus.TRIAGED, "CRITICAL", AiState.ANALYSED_FLAGGED): 1,
    }
    assert 600 <= figures.oldest_waiting_s["ROUTINE"] < 660
    assert figures.oldest_waiting_s["CRITICAL"] == 0
    assert figures.jobs == {}
    assert {stage.stage: stage.median_s for stage in figures.stages} == {"receiving": 0.0, "triage": 9.0}


def test_a_moment_of_the_list_is_in_utc(department, reader):
    department.receives(NOBODY, CT)

    (row,) = reader.page(ListFilter()).rows

    assert row.study.received_at.utcoffset() == timedelta(0)
    assert row.study.received_at <= datetime.now(UTC)
