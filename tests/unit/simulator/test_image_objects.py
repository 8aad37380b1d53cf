"""Simulated images are correct DICOM: places by hand calculation, the same bytes every time, no truth inside."""

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from io import BytesIO
from math import cos, radians, sin
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.dsutils import encode

from dicom_gateway.headers import read_instance
from dicom_gateway.simulator.image_objects import image_objects
from dicom_gateway.simulator.modality import SimulationPlan, simulated_studies
from dicom_gateway.simulator.orders import Order
from dicom_gateway.simulator.phantoms import Phantom
from dicom_gateway.simulator.scanners import SCANNERS, Scanner
from triage.completeness import irregularity, slice_stack
from triage.study import InstanceHeader

ORDER = Order(
    key=("test",),
    patient_name="SIMULATED^KESTREL",
    patient_id="SIM-000123",
    birth_date=date(1960, 7, 1),
    sex="F",
    accession_number="SIMA00000042",
    priority="STAT",
    started=datetime(2026, 1, 5, 8, 0, tzinfo=UTC),
)
EVERY_SCANNER = [scanner for scanners in SCANNERS.values() for scanner in scanners]


def a_phantom(value: float = 60.0) -> Phantom:
    pixels = np.full((3, 4, 6), value, dtype=np.float32)
    return Phantom(pixels, (5.0, 0.5, 0.25), np.zeros(pixels.shape, dtype=np.bool_), has_lesion=True)


def written(image: Dataset) -> bytes:
    out = BytesIO()
    dcmwrite(out, image, enforce_file_format=True)
    return out.getvalue()


def ct(maker: str) -> Scanner:
    return next(scanner for scanner in SCANNERS["ct"] if scanner.maker == maker)


def test_the_middle_of_an_axial_stack_is_the_origin() -> None:
    lowest, middle, highest = image_objects(ORDER, ct("Alpha"), a_phantom())

    # 6 columns of 0.25 mm: the first one's centre is 2.5 columns left of the middle; 4 rows of 0.5 mm: 1.5 rows.
    assert list(lowest.ImagePositionPatient) == [-0.625, -0.75, -5]
    assert list(middle.ImagePositionPatient) == [-0.625, -0.75, 0]
    assert list(highest.ImagePositionPatient) == [-0.625, -0.75, 5]
    assert list(lowest.ImageOrientationPatient) == [1, 0, 0, 0, 1, 0]
    assert list(lowest.PixelSpacing) == [0.5, 0.25]


def test_a_tilted_stack_turns_about_the_left_right_axis() -> None:
    lowest = image_objects(ORDER, ct("Gamma"), a_phantom())[0]

    c, s = cos(radians(8)), sin(radians(8))
    assert list(lowest.ImageOrientationPatient) == pytest.approx([1, 0, 0, 0, c, s], abs=1e-6)
    assert list(lowest.ImagePositionPatient) == pytest.approx([-0.625, -0.75 * c + 5 * s, -0.75 * s - 5 * c], abs=1e-6)


@pytest.mark.parametrize("maker", ["Alpha", "Beta", "Gamma"])
def test_slices_of_every_ct_scanner_form_one_regular_stack(maker: str) -> None:
    images = image_objects(ORDER, ct(maker), a_phantom())

    stack = slice_stack([_header(image).image for image in images])
    assert stack is not None
    assert stack.spacing_mm == pytest.approx(5.0, abs=1e-5)
    assert irregularity(stack) == ""


@pytest.mark.parametrize("maker", ["Alpha", "Beta", "Gamma"])
def test_stored_ct_values_give_back_the_hounsfield_units(maker: str) -> None:
    image = dcmread(BytesIO(written(image_objects(ORDER, ct(maker), a_phantom(-1000.0))[0])))

    assert (image.pixel_array * image.RescaleSlope + image.RescaleIntercept == -1000).all()


def test_a_scanner_that_numbers_from_the_top_sends_the_top_first() -> None:
    first, *_ = image_objects(ORDER, ct("Beta"), a_phantom())

    assert first.InstanceNumber == 1
    assert first.ImagePositionPatient[2] == 5


def test_a_scout_is_a_series_of_its_own_that_calls_itself_localizer() -> None:
    scout, *slices = image_objects(ORDER, ct("Alpha"), a_phantom(), with_scout=True)

    assert "LOCALIZER" in scout.ImageType
    assert scout.SeriesInstanceUID not in {image.SeriesInstanceUID for image in slices}
    # Three slices of 5 mm are 15 rows of 1 mm; the top row's centre is 2 mm above the top slice's, at 5 mm.
    assert (scout.Rows, scout.Columns) == (15, 4)
    assert list(scout.ImagePositionPatient) == [0, -0.75, 7]
    assert list(scout.PixelSpacing) == [1, 0.5]


def test_patient_and_order_are_in_every_image() -> None:
    image = image_objects(ORDER, ct("Alpha"), a_phantom())[0]

    header = _header(image)
    assert header.study.patient_name == "SIMULATED^KESTREL"
    assert header.study.patient_id == "SIM-000123"
    assert header.study.patient_age == "065Y"
    assert header.study.order_priority == "STAT"
    assert "SIMULATED" in header.study.study_description


@pytest.mark.parametrize("scanner", EVERY_SCANNER, ids=lambda one: one.station_name)
def test_images_name_their_modality_and_body_part_and_have_uids_under_2_25(scanner: Scanner) -> None:
    image = image_objects(ORDER, scanner, a_phantom())[0]

    assert image.Modality == scanner.modality
    assert image.BodyPartExamined in {"HEAD", "BRAIN", "BREAST", "CHEST"}
    assert image.BurnedInAnnotation == "NO"
    assert "SIMULATED" in image.StudyDescription
    for uid in (image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID):
        assert uid.startswith("2.25.")
        assert uid.is_valid


@pytest.mark.parametrize("scanner", EVERY_SCANNER, ids=lambda one: one.station_name)
def test_a_strict_checker_finds_no_error(scanner: Scanner, tmp_path: Path) -> None:
    checker = shutil.which("dciodvfy", path="/usr/bin:/usr/local/bin")
    if checker is None:
        pytest.skip("dciodvfy is missing: Debian package dicom3tools")
    for image in (*image_objects(ORDER, scanner, a_phantom()), *_scout_of(scanner)):
        path = tmp_path / "image.dcm"
        path.write_bytes(written(image))

        said = subprocess.run([checker, path], capture_output=True, text=True, timeout=30, check=False)

        assert not [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")]


def test_a_chest_film_is_coded_as_the_postero_anterior_view_that_it_says_it_is() -> None:
    film = image_objects(ORDER, SCANNERS["dx"][0], a_phantom())[0]

    code = film.ViewCodeSequence[0]
    # PS3.16 CID 4010: 272479007 is postero-anterior, 399348003 antero-posterior.
    assert (film.ViewPosition, code.CodeValue, code.CodeMeaning) == ("PA", "272479007", "postero-anterior")


def test_the_truth_is_not_in_the_dicom_objects() -> None:
    phantom = a_phantom()

    ill = [written(image) for image in image_objects(ORDER, ct("Alpha"), phantom)]
    healthy = [written(image) for image in image_objects(ORDER, ct("Alpha"), replace(phantom, has_lesion=False))]

    assert ill == healthy


def test_the_header_of_a_study_does_not_depend_on_its_truth() -> None:
    plan = SimulationPlan(("us",), studies=3, positive_rate=0.0, seed=9, mean_seconds_between=0.0)

    for ill, healthy in zip(simulated_studies(replace(plan, positive_rate=1.0)), simulated_studies(plan), strict=True):
        assert (ill.has_lesion, healthy.has_lesion) == (True, False)
        assert _header_without_uids(ill.images[0]) == _header_without_uids(healthy.images[0])


def test_the_same_seed_makes_the_same_bytes() -> None:
    plan = SimulationPlan(("us", "dx"), studies=3, positive_rate=0.5, seed=4, mean_seconds_between=0.0)

    first, second = ([written(i) for s in simulated_studies(plan) for i in s.images] for _ in range(2))

    assert first == second


def test_another_seed_makes_other_studies() -> None:
    plan = SimulationPlan(("dx",), studies=2, positive_rate=0.5, seed=4, mean_seconds_between=0.0)

    uids = {s.study_instance_uid for p in (plan, replace(plan, seed=5)) for s in simulated_studies(p)}

    assert len(uids) == 4


def _scout_of(scanner: Scanner) -> tuple[Dataset, ...]:
    return image_objects(ORDER, scanner, a_phantom(), with_scout=True)[:1] if scanner.modality == "CT" else ()


def _header_without_uids(image: Dataset) -> dict[str, str]:
    return {e.keyword: str(e.value) for e in image if e.VR not in ("UI", "OB", "OW", "SQ")}


def _header(image: Dataset) -> InstanceHeader:
    data_set = encode(image, is_implicit_vr=False, is_little_endian=True)
    assert data_set is not None
    return read_instance(data_set, ExplicitVRLittleEndian)
