"""A report says what the analysis said, item by item, read back as any other reader would."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from io import BytesIO

import numpy as np
import pytest
from highdicom.sr import ComprehensiveSR, PlanarROIMeasurementsAndQualitativeEvaluations
from highdicom.sr.utils import find_content_items
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code as DicomCode

from dicom_gateway.results import codes
from dicom_gateway.results.structured_report import ReportingDevice, report_uid, structured_report
from dicom_gateway.results.uids import device_uid, series_uid, tracking_uid
from triage.errors import InvalidGeometry
from triage.findings import Code, Finding, ImageScore, Measurement
from triage.identifiers import Sha256, SopInstanceUid
from triage.ports import RecordedAnalysis
from triage.priority import Priority

Groups = list[PlanarROIMeasurementsAndQualitativeEvaluations]


def items(report: Dataset, name: DicomCode) -> list[Dataset]:
    return find_content_items(report, name=name, recursive=True)


def only(report: Dataset, name: DicomCode) -> Dataset:
    found = items(report, name)
    assert len(found) == 1
    return found[0]


def groups_of(report: Dataset) -> Groups:
    """Return the planar groups as highdicom reads them."""
    return ComprehensiveSR.from_dataset(report).content.get_planar_roi_measurement_groups()


def text_values(report: Dataset, name: DicomCode) -> set[str]:
    return {item.TextValue for item in items(report, name)}


def test_the_document_is_complete_unverified_and_preliminary(sources, flagged, device) -> None:
    report = structured_report(sources.series(), flagged, None, device)

    assert report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.33"
    assert (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag) == (
        "COMPLETE",
        "UNVERIFIED",
        "PRELIMINARY",
    )
    assert report.SeriesDescription == "AI result, not a diagnosis"
    assert (report.Modality, report.Manufacturer, report.SoftwareVersions) == ("SR", "Acuity", "0.1.0")
    assert report.SOPInstanceUID == report_uid(flagged, "sr")
    assert report.SeriesInstanceUID == series_uid(flagged, "sr")
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"


def test_patient_and_study_are_those_of_the_images(sources, flagged, device) -> None:
    report = structured_report(sources.series(), flagged, None, device)

    assert report.PatientName == "Doe^Jane"
    assert (report.PatientID, report.IssuerOfPatientID) == ("MRN-17", "General Hospital")
    assert (report.PatientBirthDate, report.PatientSex, report.PatientAge) == ("19500203", "F", "076Y")
    assert report.StudyInstanceUID == flagged.study_instance_uid
    assert (report.StudyDate, report.StudyTime, report.StudyID) == ("20260314", "221500", "S1")
    assert (report.AccessionNumber, report.StudyDescription) == ("ACC-9", "CT head")
    assert report.ReferringPhysicianName == "House^Gregory"
    assert report.SpecificCharacterSet == "ISO_IR 192"


def test_the_observer_is_this_version_of_acuity(sources, flagged, device) -> None:
    report = structured_report(sources.series(), flagged, None, device)

    observer = ComprehensiveSR.from_dataset(report).content.get_observer_contexts()[0]
    assert observer.observer_type.value == "121007"
    attributes = observer.observer_identifying_attributes
    assert (attributes.name, attributes.model_name) == ("Acuity", "Acuity 0.1.0")
    assert attributes.uid == device_uid("0.1.0")


def test_a_flagged_finding_is_one_group_with_its_region_certainty_and_urgency(sources, flagged, device) -> None:
    report = structured_report(sources.series(), flagged, None, device)

    (group,) = groups_of(report)
    assert (group.finding_type.value, group.finding_type.scheme_designator) == ("1386000", "SCT")
    assert group.tracking_identifier == "Intracranial hemorrhage"
    assert group.tracking_uid == tracking_uid(flagged, flagged.analysis.findings[0].code, 1)
    certainty, probability = group.get_measurements()
    assert (certainty.name.value, certainty.value, certainty.unit.value) == ("111012", 91.25, "%")
    assert (probability.name.value, probability.value, probability.unit.value) == ("122157", 83.0, "%")
    (urgency,) = group.get_qualitative_evaluations(name=codes.PRIORITY)
    assert (urgency.value.value, urgency.value.scheme_designator) == ("RID49480", "RADLEX")


def test_what_was_measured_stands_once_with_the_first_region_and_its_unit(
    sources, make_recorded, make_finding, make_region, device
) -> None:
    long_axis = Measurement(Code("103339001", "SCT", "Long Axis"), 41.3, "mm")
    volume = Measurement(Code("118565006", "SCT", "Volume"), 12.34, "mL")
    regions = (make_region(2), make_region(3))
    recorded = make_recorded(make_finding(regions=regions, measurements=(long_axis, volume)))

    report = structured_report(sources.series(), recorded, None, device)

    first, second = groups_of(report)
    measured = [(one.name.value, one.value, one.unit.value, one.unit.meaning) for one in first.get_measurements()]
    assert measured[2:] == [("103339001", 41.3, "mm", "millimeter"), ("118565006", 12.34, "mL", "milliliter")]
    assert len(second.get_measurements()) == 2
    said = [text for text in text_values(report, codes.COMMENT) if "Long axis" in text]
    assert said == ["Long axis and volume are of all that was outlined for this finding, on every image."]


def test_the_region_is_the_box_as_a_closed_polyline_on_its_image(sources, flagged, device) -> None:
    (group,) = groups_of(structured_report(sources.series(), flagged, None, device))

    # left 10, top 20.5, right 110, bottom 220.5: (column, row), clockwise from the top left, and back to it.
    corners = [(10, 20.5), (110, 20.5), (110, 220.5), (10, 220.5), (10, 20.5)]
    assert group.roi.graphic_type.value == "POLYLINE"
    np.testing.assert_array_equal(group.roi.value, corners)
    source = group.roi.ContentSequence[0].ReferencedSOPSequence[0]
    assert source.ReferencedSOPInstanceUID == flagged.analysis.findings[0].regions[0].sop_instance_uid
    assert "ReferencedFrameNumber" not in source


def test_a_region_on_a_frame_names_the_frame(sources, make_recorded, make_finding, make_region, device) -> None:
    recorded = make_recorded(make_finding(regions=(make_region(1, frame_number=7),)))

    (group,) = groups_of(structured_report(sources.series("CT enhanced", 1, frames=20), recorded, None, device))

    assert group.roi.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber == 7


def test_each_region_has_a_group_of_its_own(sources, make_recorded, make_finding, make_region, device) -> None:
    recorded = make_recorded(make_finding(regions=(make_region(1), make_region(2), make_region(3))))

    groups = groups_of(structured_report(sources.series(), recorded, None, device))

    assert [group.tracking_identifier for group in groups] == [
        f"Intracranial hemorrhage, region {number} of 3" for number in (1, 2, 3)
    ]
    assert len({group.tracking_uid for group in groups}) == 3


def test_a_finding_without_a_location_outlines_its_best_image_and_says_so(
    sources, make_recorded, make_finding, device
) -> None:
    report = structured_report(sources.series(), make_recorded(make_finding(regions=())), None, device)

    (group,) = groups_of(report)
    np.testing.assert_array_equal(group.roi.value, [(0, 0), (640, 0), (640, 512), (0, 512), (0, 0)])
    assert group.roi.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID.endswith(".3")
    assert any("No location was computed" in text for text in text_values(report, codes.COMMENT))


def test_every_group_has_exactly_one_region_as_ohif_needs(
    sources, make_recorded, make_finding, make_region, device
) -> None:
    recorded = make_recorded(
        make_finding(regions=(make_region(1), make_region(2))), make_finding(regions=(), image_scores=())
    )

    report = structured_report(sources.series(), recorded, None, device)

    for group in items(report, DicomCode("125007", "DCM", "Measurement Group")):
        assert [item.ValueType for item in group.ContentSequence].count("SCOORD") == 1
        assert next(item for item in group.ContentSequence if item.ValueType == "UIDREF").ConceptNameCodeSequence[
            0
        ].CodeValue == ("112040")


@pytest.mark.parametrize(
    ("band", "code"),
    [(Priority.CRITICAL, "RID49480"), (Priority.URGENT, "RID49481"), (Priority.ROUTINE, "RID49482")],
)
def test_the_urgency_is_the_band_that_the_finding_raises_to(
    sources, make_recorded, make_finding, device, band: Priority, code: str
) -> None:
    recorded = make_recorded(make_finding(raises_to=band))

    (group,) = groups_of(structured_report(sources.series(), recorded, None, device))

    (urgency,) = group.get_qualitative_evaluations(name=codes.PRIORITY)
    assert urgency.value.value == code


def test_a_flagged_report_says_succeeded_with_findings_and_by_which_algorithm(sources, flagged, device) -> None:
    report = structured_report(sources.series(), flagged, None, device)

    outcome = only(report, codes.PROCESSING_SUMMARY)
    assert outcome.ConceptCodeSequence[0].CodeValue == "111242"
    said = [(item.ConceptNameCodeSequence[0].CodeValue, item.get("TextValue")) for item in outcome.ContentSequence]
    assert said[:2] == [("111001", "ct-ich"), ("111003", "1.2.0")]
    assert [text for code, text in said if code == "111002"] == [
        f"bundle sha256:{'ab' * 32}",
        f"input sha256:{'cd' * 32}",
        "execution provider CPUExecutionProvider",
        "finding (1386000, SCT, Intracranial hemorrhage): operating point triage, threshold 0.4",
        "image quality: motion",
    ]
    assert outcome.ContentSequence[-1].ConceptCodeSequence[0].CodeValue == "123110"


def test_no_flag_says_succeeded_without_findings_and_never_normal(sources, make_recorded, make_finding, device) -> None:
    report = structured_report(sources.series(), make_recorded(make_finding(probability=0.1)), None, device)

    assert only(report, codes.PROCESSING_SUMMARY).ConceptCodeSequence[0].CodeValue == "111241"
    assert only(report, codes.IMAGE_LIBRARY).ContentSequence
    assert "ContentSequence" not in only(report, codes.IMAGING_MEASUREMENTS)
    everything = as_bytes(report).lower()
    assert b"normal" not in everything
    assert b"negative" not in everything
    assert b"has not been excluded" in everything


def test_an_unflagged_finding_beside_a_flagged_one_gets_no_group(sources, make_recorded, make_finding, device) -> None:
    recorded = make_recorded(make_finding(), make_finding(probability=0.39))

    assert len(groups_of(structured_report(sources.series(), recorded, None, device))) == 1


def test_all_analysed_images_are_evidence_and_in_the_image_library(sources, flagged, device) -> None:
    series = sources.series(images=5)

    report = structured_report(series, flagged, None, device)

    uids = [image.sop_instance_uid for image in series.images]
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    (evidence,) = study.ReferencedSeriesSequence
    assert (study.StudyInstanceUID, evidence.SeriesInstanceUID) == (
        flagged.study_instance_uid,
        series.header.series_instance_uid,
    )
    assert [item.ReferencedSOPInstanceUID for item in evidence.ReferencedSOPSequence] == uids
    library = only(report, codes.IMAGE_LIBRARY_GROUP).ContentSequence
    listed = [item for item in library if item.ValueType == "IMAGE"]
    assert [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in listed] == uids


def test_a_report_names_the_one_that_it_replaces(sources, flagged, make_recorded, make_finding, device) -> None:
    earlier = make_recorded(make_finding(), input_digest=Sha256("ee" * 32))

    report = structured_report(sources.series(), flagged, earlier, device)

    (study,) = report.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    assert study.StudyInstanceUID == earlier.study_instance_uid
    assert series.SeriesInstanceUID == series_uid(earlier, "sr")
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == report_uid(earlier, "sr")


def test_an_earlier_analysis_that_was_never_reported_is_not_replaced(sources, flagged, make_recorded, device) -> None:
    earlier = make_recorded(out_of_scope="contrast agent", input_digest=Sha256("ee" * 32))

    assert "PredecessorDocumentsSequence" not in structured_report(sources.series(), flagged, earlier, device)
    assert "PredecessorDocumentsSequence" not in structured_report(sources.series(), flagged, flagged, device)


def test_content_date_and_time_are_when_it_was_recorded_in_the_zone_of_the_site(sources, flagged) -> None:
    berlin = ReportingDevice("0.1.0", timezone(timedelta(hours=1)))

    report = structured_report(sources.series(), flagged, None, berlin)

    # Recorded 2026-03-14 23:30:15.25 UTC, which is half past midnight of the next day one hour further east.
    assert (str(report.ContentDate), str(report.ContentTime)) == ("20260315", "003015.250000")
    assert report.InstanceCreationDate == "20260315"
    assert report.InstanceCreationTime == "003015.250000"


def test_the_time_zone_of_the_images_wins(sources, flagged, device) -> None:
    report = structured_report(sources.series(header={"TimezoneOffsetFromUTC": "-0330"}), flagged, None, device)

    assert (str(report.ContentDate), str(report.ContentTime)) == ("20260314", "200015.250000")
    assert report.TimezoneOffsetFromUTC == "-0330"


def test_a_region_on_an_image_of_another_series_is_refused(sources, make_recorded, make_finding, make_region, device):
    stray = replace(make_region(), sop_instance_uid=SopInstanceUid("1.2.3"))

    with pytest.raises(InvalidGeometry, match=r"a region on image 1\.2\.3, needed one of the 3 images"):
        structured_report(sources.series(), make_recorded(make_finding(regions=(stray,))), None, device)


def test_a_meaning_longer_than_a_code_meaning_may_be_is_shortened(
    sources, make_recorded, make_finding: Callable[..., Finding], device
) -> None:
    long = make_finding(code=replace(make_finding().code, meaning="x" * 100))

    (group,) = groups_of(structured_report(sources.series(), make_recorded(long), None, device))

    assert group.finding_type.meaning == "x" * 64


def test_the_same_analysis_gives_the_same_bytes_at_any_time(sources, flagged: RecordedAnalysis, device) -> None:
    series = sources.series()

    # highdicom stamps the microsecond of its own clock into three places, so two calls differ unless all are replaced.
    assert as_bytes(structured_report(series, flagged, None, device)) == as_bytes(
        structured_report(series, flagged, None, device)
    )


def test_a_score_of_an_unknown_image_does_not_stop_the_report(sources, make_recorded, make_finding, device) -> None:
    odd = make_finding(regions=(), image_scores=(ImageScore(SopInstanceUid("1.2.3"), 0.9),))

    with pytest.raises(InvalidGeometry, match=r"1\.2\.3"):
        structured_report(sources.series(), make_recorded(odd), None, device)


def as_bytes(report: Dataset) -> bytes:
    buffer = BytesIO()
    report.save_as(buffer, enforce_file_format=False)
    return buffer.getvalue()
