"""Two readers that share no code with us find nothing wrong: dciodvfy of dicom3tools and dsrdump of DCMTK."""

import re
import shutil
import subprocess
from collections.abc import Callable

import pytest

from dicom_gateway.results.writer import DicomReportWriter
from triage.findings import Code, Measurement
from triage.identifiers import Sha256
from triage.study import Series

DCIODVFY = shutil.which("dciodvfy")
DSRDUMP = shutil.which("dsrdump")

pytestmark = pytest.mark.skipif(
    DCIODVFY is None or DSRDUMP is None, reason="dciodvfy or dsrdump is missing: run tests/install_peers.sh"
)

SERIES: dict[str, Callable[..., Series]] = {
    "CT": lambda sources: sources.series("CT", images=40),
    "CT enhanced, multi-frame": lambda sources: sources.series("CT enhanced", images=3, frames=30),
    "MR": lambda sources: sources.series("MR"),
    "DX": lambda sources: sources.series("DX"),
    "US": lambda sources: sources.series("US"),
    "US multi-frame": lambda sources: sources.series("US multi-frame", images=3, frames=60),
    "no patient attributes": lambda sources: sources.series_of_bytes("CT", 3, 1, {}, b"ISO_IR 100"),
    "only a family name": lambda sources: sources.series(header={"PatientName": "Bono"}),
    "empty name": lambda sources: sources.series(header={"PatientName": ""}),
    "name of carets": lambda sources: sources.series(header={"PatientName": "^^^^"}),
    "html name": lambda sources: sources.series(header={"PatientName": "<img src=x onerror=alert(1)>^{{7*7}}"}),
    "control characters": lambda sources: sources.series(header={"PatientName": "Do\x07e^Ja\nne"}),
    "Japanese name in three groups": lambda sources: sources.series_of_bytes(
        "CT",
        3,
        1,
        {"PatientName": b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"},
        b"\\ISO 2022 IR 87",
    ),
    "Cyrillic name": lambda sources: sources.series(
        header={"PatientName": "Люксембург^Роза"}, character_set=b"ISO_IR 144", encoding="iso8859-5"
    ),
    "dates, sex and age of no valid form": lambda sources: sources.series(
        header={
            "PatientBirthDate": "unknown",
            "PatientSex": "W",
            "PatientAge": "76",
            "StudyDate": "14.03.2026",
            "StudyTime": "22:15",
        }
    ),
    "time zone": lambda sources: sources.series(header={"TimezoneOffsetFromUTC": "+0530"}),
}


# What the scanner left out cannot be in the report; that dciodvfy mentions it is as it should be.
FAULTS_OF_THE_SOURCE = re.compile(r"needed to build DICOMDIR|Retired Person Name form")


def complaints(path: str) -> list[str]:
    """Return every line of dciodvfy that is an error or a warning, except on what the source did not say."""
    said = subprocess.run([str(DCIODVFY), path], capture_output=True, text=True, timeout=50, check=False)
    lines = (said.stdout + said.stderr).splitlines()
    assert "ComprehensiveSR" in lines
    return [line for line in lines if re.match(r"Error|Warning", line) and not FAULTS_OF_THE_SOURCE.search(line)]


def dumped(path: str) -> str:
    """Return what dsrdump reads, with the codes of the names; it fails on content that its templates forbid."""
    read = subprocess.run(
        [str(DSRDUMP), "--print-all-codes", "--print-long-values", path], capture_output=True, timeout=50, check=True
    )
    return read.stdout.decode()


@pytest.fixture
def writer(tmp_path) -> DicomReportWriter:
    return DicomReportWriter(tmp_path / "reports", "0.1.0")


@pytest.mark.parametrize("kind", SERIES)
def test_a_flagged_report_from_any_source_is_conformant(kind: str, sources, study, flagged, writer) -> None:
    (result,) = writer.write(study, SERIES[kind](sources), flagged, None)

    assert complaints(result.path) == []
    assert '(111242,DCM,"All algorithms succeeded; with findings")' in dumped(result.path)


@pytest.mark.parametrize("kind", ["CT", "US multi-frame", "no patient attributes"])
def test_a_report_without_a_flag_is_conformant(kind: str, sources, study, make_recorded, make_finding, writer) -> None:
    recorded = make_recorded(make_finding(probability=0.1))

    (result,) = writer.write(study, SERIES[kind](sources), recorded, None)

    assert complaints(result.path) == []
    assert '(111241,DCM,"All algorithms succeeded; without findings")' in dumped(result.path)


def test_a_report_with_a_long_axis_and_a_volume_is_conformant(
    sources, study, make_recorded, make_finding, writer
) -> None:
    measured = (
        Measurement(Code("103339001", "SCT", "Long Axis"), 41.3, "mm"),
        Measurement(Code("118565006", "SCT", "Volume"), 12.34, "mL"),
    )

    (result,) = writer.write(study, sources.series("MR"), make_recorded(make_finding(measurements=measured)), None)

    assert complaints(result.path) == []
    said = dumped(result.path)
    assert '(103339001,SCT,"Long Axis")="41.3" (mm,UCUM,"millimeter")' in said
    assert '(118565006,SCT,"Volume")="12.34" (mL,UCUM,"milliliter")' in said


def test_a_report_on_frames_that_replaces_another_is_conformant(
    sources, study, make_recorded, make_finding, make_region, writer
) -> None:
    regions = tuple(make_region(1, frame_number=frame) for frame in range(1, 31))
    recorded = make_recorded(make_finding(regions=regions), make_finding(regions=()))
    earlier = make_recorded(input_digest=Sha256("ee" * 32))

    (result,) = writer.write(study, sources.series("CT enhanced", images=3, frames=30), recorded, earlier)

    assert complaints(result.path) == []
    assert dumped(result.path).count('<contains SCOORD:(111030,DCM,"Image Region")') == 31
