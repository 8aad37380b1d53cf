"""The report on one analysis as a DICOM object: Comprehensive SR, complete, unverified, preliminary."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from highdicom.sr import ComprehensiveSR
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage

from dicom_gateway.results.report_content import NOT_A_DIAGNOSIS, report_content
from dicom_gateway.results.source_header import REQUIRED, SourceHeader, read_source_header
from dicom_gateway.results.uids import report_uid, series_uid
from triage.ports import RecordedAnalysis
from triage.study import Series

__all__ = ["REPORT_CLASS_UID", "ReportingDevice", "report_uid", "structured_report"]

KIND = "sr"
REPORT_CLASS_UID = str(ComprehensiveSRStorage)

SERIES_NUMBER = 9301
"""High, so that the report is listed below the images of its study."""


@dataclass(frozen=True, slots=True)
class ReportingDevice:
    """Who writes reports: this version of Acuity, in this time zone.

    Content Date and Time are written in the zone that the images state (0008,0201), else in `time_zone`.
    """

    software_version: str
    time_zone: tzinfo = UTC


def structured_report(
    series: Series, recorded: RecordedAnalysis, supersedes: RecordedAnalysis | None, device: ReportingDevice
) -> Dataset:
    """Return the report on `recorded`; the same arguments give the same bytes.

    Args:
        series: what was analysed; its first file is read for the patient and the study.
        supersedes: the earlier analysis whose report this one replaces.

    Raises:
        UnreadableInstance: the first file of the series cannot be read.
        InvalidGeometry: a region lies on an image that is not one of the series.

    Source: PS3.3 A.35.3 (Comprehensive SR IOD), C.17.2 (SR Document General).
    """
    header = read_source_header(series.files[0].path, series.images[0].sop_instance_uid)
    created_at = recorded_at(recorded, header, device)
    report = ComprehensiveSR(
        evidence=_evidence(series, recorded),
        content=report_content(series, recorded, device.software_version),
        series_instance_uid=series_uid(recorded, KIND),
        series_number=SERIES_NUMBER,
        series_description=NOT_A_DIAGNOSIS,
        sop_instance_uid=report_uid(recorded, KIND),
        instance_number=1,
        manufacturer="Acuity",
        manufacturer_model_name="Acuity",
        software_versions=device.software_version,
        is_complete=True,
        is_final=False,
        is_verified=False,
        specific_character_set="ISO_IR 192",
        content_date=created_at.date(),
        content_time=created_at.time(),
        previous_versions=_predecessors(recorded, supersedes),
    )
    make_repeatable(report, created_at)
    header.copy_to(report)
    return report


def recorded_at(recorded: RecordedAnalysis, header: SourceHeader, device: ReportingDevice) -> datetime:
    """Return when the analysis was recorded, in the zone that the images state, else in that of the site."""
    return recorded.recorded_at.astimezone(_zone(header, device))


def make_repeatable(written: Dataset, created_at: datetime) -> None:
    """Replace what highdicom takes from the clock and from its own version number."""
    written.InstanceCreationDate = created_at.strftime("%Y%m%d")
    written.InstanceCreationTime = created_at.strftime("%H%M%S.%f")
    if "ContributingEquipmentSequence" in written:
        del written.ContributingEquipmentSequence


def _evidence(series: Series, recorded: RecordedAnalysis) -> list[Dataset]:
    """Return one bare data set per analysed image; patient and study are filled in afterwards."""
    evidence = []
    for image in series.images:
        item = Dataset()
        item.StudyInstanceUID = recorded.study_instance_uid
        item.SeriesInstanceUID = recorded.analysis.series_instance_uid
        item.SOPClassUID = image.sop_class_uid
        item.SOPInstanceUID = image.sop_instance_uid
        evidence.append(item)
    # highdicom copies these from the first item, and refuses or logs odd values of real patients on the way.
    for keyword in REQUIRED:
        setattr(evidence[0], keyword, "")
    return evidence


def _predecessors(recorded: RecordedAnalysis, supersedes: RecordedAnalysis | None) -> list[Dataset] | None:
    """Return a reference to the report that this one replaces, where there is one."""
    # Images out of the model's scope are not reported, so there is nothing to replace.
    if supersedes is None or supersedes.analysis.out_of_scope:
        return None
    if report_uid(supersedes, KIND) == report_uid(recorded, KIND):
        return None
    replaced = Dataset()
    replaced.StudyInstanceUID = supersedes.study_instance_uid
    replaced.SeriesInstanceUID = series_uid(supersedes, KIND)
    replaced.SOPClassUID = REPORT_CLASS_UID
    replaced.SOPInstanceUID = report_uid(supersedes, KIND)
    return [replaced]


def _zone(header: SourceHeader, device: ReportingDevice) -> tzinfo:
    offset = header.values.get("TimezoneOffsetFromUTC", "")
    if not offset:
        return device.time_zone
    minutes = int(offset[1:3]) * 60 + int(offset[3:5])
    return timezone(timedelta(minutes=-minutes if offset.startswith("-") else minutes))
