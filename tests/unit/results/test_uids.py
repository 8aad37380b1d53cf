"""Result UIDs are derived from what is reported and from nothing else."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from dicom_gateway.results.uids import device_uid, report_uid, series_uid, tracking_uid
from triage.findings import Analysis, Code, ModelIdentity, StageSeconds
from triage.identifiers import SeriesInstanceUid, Sha256, StudyInstanceUid
from triage.ports import RecordedAnalysis

ICH = Code("1386000", "SCT", "Intracranial hemorrhage")


def test_the_report_uid_stays_the_same_for_ever(flagged: RecordedAnalysis) -> None:
    # A changed derivation would send every report a second time after an upgrade.
    assert report_uid(flagged, "sr") == "2.25.52107881408890248434609762159816841259"


def test_every_derived_uid_is_valid_and_none_is_used_twice(flagged: RecordedAnalysis) -> None:
    uids = [
        report_uid(flagged, "sr"),
        report_uid(flagged, "seg"),
        series_uid(flagged, "sr"),
        tracking_uid(flagged, ICH, 1),
        tracking_uid(flagged, ICH, 2),
        device_uid("0.1.0"),
        device_uid("0.2.0"),
    ]

    assert all(UID(uid).is_valid and uid.startswith("2.25.") for uid in uids)
    assert len(set(uids)) == len(uids)


def test_when_and_in_which_revision_it_was_recorded_does_not_change_the_uid(flagged: RecordedAnalysis) -> None:
    later = replace(flagged, revision=7, recorded_at=flagged.recorded_at.replace(year=2027))

    assert report_uid(later, "sr") == report_uid(flagged, "sr")


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_other_images_or_another_kind_give_another_uid(first: str, second: str, kind: str, other_kind: str) -> None:
    one, two = _recorded(first), _recorded(second)

    assert (report_uid(one, kind) == report_uid(two, other_kind)) == ((first, kind) == (second, other_kind))


def _recorded(digest: str) -> RecordedAnalysis:
    analysis = Analysis(ModelIdentity("m", "1", "d"), SeriesInstanceUid("1.2"), "CPU", (), StageSeconds(0, 0))
    return RecordedAnalysis(StudyInstanceUid("1.1"), 1, Sha256(digest), datetime(2026, 1, 1, tzinfo=UTC), analysis)
