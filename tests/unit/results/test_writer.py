"""Reports are on disk, whole, before anybody is told about them; a second writing changes nothing."""

import errno
import hashlib
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_gateway.results.structured_report import report_uid
from dicom_gateway.results.writer import DicomReportWriter
from triage.errors import StorageFull, UnreadableInstance
from triage.ports import ReportWriter


@pytest.fixture
def writer(tmp_path: Path) -> DicomReportWriter:
    return DicomReportWriter(tmp_path / "reports", "0.1.0")


def test_the_writer_is_what_the_workflow_asks_for(writer: DicomReportWriter) -> None:
    port: ReportWriter = writer

    assert port is writer


def test_the_report_is_a_part_10_file_that_matches_what_is_returned(writer, sources, study, flagged) -> None:
    (result,) = writer.write(study, sources.series(), flagged, None)

    report = dcmread(result.path)
    assert (result.kind, result.revision) == ("sr", 1)
    assert result.sop_instance_uid == report.SOPInstanceUID == report.file_meta.MediaStorageSOPInstanceUID
    assert result.sop_class_uid == report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.33"
    assert result.study_instance_uid == report.StudyInstanceUID
    assert report.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert Path(result.path).is_relative_to(writer.folder)


def test_the_hash_is_of_the_data_set_without_the_file_meta_group(writer, sources, study, flagged) -> None:
    (result,) = writer.write(study, sources.series(), flagged, None)

    # The first element of the data set is Specific Character Set, (0008,0005) CS of ten bytes.
    content = Path(result.path).read_bytes()
    data_set = content[content.index(b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 192") :]
    assert result.sha256 == hashlib.sha256(data_set).hexdigest()


def test_writing_again_returns_the_same_object_and_touches_nothing(writer, sources, study, flagged) -> None:
    series = sources.series()
    first = writer.write(study, series, flagged, None)
    before = os.stat(first[0].path)

    second = writer.write(study, series, flagged, None)

    assert second == first
    assert os.stat(first[0].path).st_mtime_ns == before.st_mtime_ns


def test_a_file_that_is_there_is_returned_as_it_is(writer, sources, study, flagged) -> None:
    series = sources.series()
    first = writer.write(study, series, flagged, None)

    second = writer.write(study, series, replace(flagged, recorded_at=flagged.recorded_at + timedelta(days=1)), None)

    assert second == first


def test_a_lost_file_is_written_again_with_the_same_bytes(writer, sources, study, flagged) -> None:
    series = sources.series()
    first = writer.write(study, series, flagged, None)
    content = Path(first[0].path).read_bytes()
    Path(first[0].path).unlink()

    second = writer.write(study, series, flagged, None)

    assert second == first
    assert Path(second[0].path).read_bytes() == content


def test_nothing_but_the_report_is_left_in_the_folder(writer, sources, study, flagged) -> None:
    (result,) = writer.write(study, sources.series(), flagged, None)

    assert [path for path in writer.folder.rglob("*") if path.is_file()] == [Path(result.path)]


def test_a_full_disk_is_retriable_and_leaves_nothing(
    writer, sources, study, flagged, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = sources.series()

    def full(descriptor: int) -> None:
        if os.path.isfile(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StorageFull, match=rf"{report_uid(flagged, 'sr')}\.dcm: No space left on device"):
        writer.write(study, series, flagged, None)
    assert not [path for path in writer.folder.rglob("*") if path.is_file()]


def test_missing_images_are_an_error_that_names_the_instance(writer, sources, study, flagged) -> None:
    series = sources.series()
    Path(series.files[0].path).unlink()

    with pytest.raises(UnreadableInstance, match=series.images[0].sop_instance_uid):
        writer.write(study, series, flagged, None)
