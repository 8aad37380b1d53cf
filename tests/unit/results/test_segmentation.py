"""A segmentation holds the pixels that a model outlined, on the images that it saw, read back by another's reader."""

import base64
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import Segmentation, segread
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage

from dicom_gateway.results.segmentation import outlines_of, segmentation
from dicom_gateway.results.uids import report_uid, series_uid, tracking_uid
from dicom_gateway.results.writer import DicomReportWriter
from triage.errors import InvalidGeometry, UnreadableInstance
from triage.findings import Code, Mask
from triage.identifiers import SeriesInstanceUid, Sha256, SopInstanceUid
from triage.ports import ResultObject
from triage.study import ImageHeader, Series, SeriesHeader, StoredFile

SERIES = "1.2.826.0.1.3680043.2.1143.1.1"
LESION = Code("52988006", "SCT", "Lesion")
ROWS, COLUMNS = 11, 13  # 143 pixels: frames do not end at the border of a byte
DCIODVFY = shutil.which("dciodvfy")
needs_dciodvfy = pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy is missing: run tests/install_peers.sh")


def pixels(seed: int, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random((rows, columns)) < 0.4


def mask(image: int, of: NDArray[np.bool_], frame_number: int | None = None) -> Mask:
    packed = base64.b64encode(zlib.compress(np.packbits(of).tobytes())).decode()
    return Mask(SopInstanceUid(f"{SERIES}.{image}"), of.shape[0], of.shape[1], packed, frame_number)


def sized(series: Series, *sizes: tuple[int, int]) -> Series:
    """Return `series` whose images have the last of `sizes` from where the sizes end."""
    sizes = (sizes or ((ROWS, COLUMNS),)) + (sizes or ((ROWS, COLUMNS),))[-1:] * len(series.images)
    images = (replace(one, rows=size[0], columns=size[1]) for one, size in zip(series.images, sizes, strict=False))
    return replace(series, images=tuple(images))


def written(folder: Path, sop_class: str, content: Sequence[dict[str, object]], frames: int = 1) -> Series:
    """Write images with `content` at their top level, and return their series."""
    folder.mkdir()
    images, files = [], []
    for number, attributes in enumerate(content, start=1):
        image = Dataset()
        image.SOPClassUID, image.SOPInstanceUID = sop_class, f"{SERIES}.{number}"
        image.PatientName, image.PatientID, image.StudyID = "Doe^Jane", "MRN-17", "S1"
        image.StudyDate, image.StudyTime = "20260314", "221500"
        for keyword, value in attributes.items():
            setattr(image, keyword, value)
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / f"{number}.dcm"
        image.save_as(path, enforce_file_format=True)
        uid = SopInstanceUid(str(image.SOPInstanceUID))
        images.append(ImageHeader(uid, sop_class, rows=ROWS, columns=COLUMNS, number_of_frames=frames))
        files.append(StoredFile(Sha256(f"{number:064x}"), 1, str(path), ExplicitVRLittleEndian))
    header = SeriesHeader(SeriesInstanceUid(SERIES), modality="MR")
    return Series(header, "MR brain", tuple(images), tuple(files))


def slice_at(height: float, **more: object) -> dict[str, object]:
    plane = {
        "FrameOfReferenceUID": "2.25.77",
        "ImagePositionPatient": [-120, -100.5, height],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.9375, 0.9375],
        "SliceThickness": 5,
    }
    return plane | more


@pytest.fixture
def writer(tmp_path: Path) -> DicomReportWriter:
    return DicomReportWriter(tmp_path / "results", "0.1.0")


@pytest.fixture
def outlined(make_recorded, make_finding) -> Callable[..., object]:
    """Return an analysis whose one flagged finding has `masks`."""

    def recorded(*masks: Mask, **changes: object):
        return make_recorded(make_finding(masks=masks, segmented=LESION, regions=(), image_scores=(), **changes))

    return recorded


@pytest.fixture
def objects(writer, study) -> Callable[..., tuple[ResultObject, ...]]:
    """Return the segmentations that are written for a series and an analysis."""

    def of(series: Series, recorded) -> tuple[ResultObject, ...]:
        return tuple(one for one in writer.write(study, series, recorded, None) if one.kind == "seg")

    return of


def complaints(result: ResultObject) -> list[str]:
    said = subprocess.run([str(DCIODVFY), result.path], capture_output=True, text=True, timeout=50, check=False)
    lines = (said.stdout + said.stderr).splitlines()
    assert "Segmentation" in lines
    return [line for line in lines if re.match(r"Error|Warning", line)]


def read(result: ResultObject) -> Segmentation:
    return segread(result.path)


def by_image(held: Segmentation, *images: int, segment: int = 1) -> NDArray[np.bool_]:
    uids = [f"{SERIES}.{image}" for image in images]
    found = held.get_pixels_by_source_instance(uids, [segment], assert_missing_frames_are_empty=True)
    return found[..., 0].astype(bool)


def by_frame(held: Segmentation, image: int, *frames: int) -> NDArray[np.bool_]:
    found = held.get_pixels_by_source_frame(f"{SERIES}.{image}", frames, [1], assert_missing_frames_are_empty=True)
    return found[..., 0].astype(bool)


@needs_dciodvfy
def test_stills_without_a_frame_of_reference_give_one_valid_object(sources, outlined, objects) -> None:
    recorded = outlined(mask(1, pixels(1)), mask(3, pixels(3)))

    (result,) = objects(sized(sources.series("US")), recorded)

    held = read(result)
    assert complaints(result) == []
    np.testing.assert_array_equal(by_image(held, 1, 2, 3), [pixels(1), np.zeros((ROWS, COLUMNS), bool), pixels(3)])
    assert ("FrameOfReferenceUID" in held, held.LossyImageCompression) == (False, "00")


@needs_dciodvfy
def test_a_cine_gives_one_valid_object_that_names_the_frames(sources, outlined, objects) -> None:
    recorded = outlined(mask(1, pixels(7), 7), mask(1, pixels(40), 40))

    (result,) = objects(sized(sources.series("US multi-frame", 1, frames=60)), recorded)

    assert complaints(result) == []
    np.testing.assert_array_equal(
        by_frame(read(result), 1, 7, 8, 40), [pixels(7), np.zeros((ROWS, COLUMNS), bool), pixels(40)]
    )
    frames = dcmread(result.path).PerFrameFunctionalGroupsSequence
    assert [one.FrameContentSequence[0].DimensionIndexValues for one in frames] == [[1, 1], [1, 2]]


@needs_dciodvfy
def test_slices_pass_their_plane_on_and_come_in_the_order_of_their_normal(tmp_path, outlined, objects) -> None:
    series = written(tmp_path / "mr", str(MRImageStorage), [slice_at(height) for height in (10, 0, 5.25)])

    (result,) = objects(series, outlined(mask(1, pixels(1)), mask(2, pixels(2)), mask(3, pixels(3))))

    held = read(result)
    assert complaints(result) == []
    np.testing.assert_array_equal(by_image(held, 1, 2, 3), [pixels(1), pixels(2), pixels(3)])
    assert held.FrameOfReferenceUID == "2.25.77"
    heights = [one.PlanePositionSequence[0].ImagePositionPatient[2] for one in held.PerFrameFunctionalGroupsSequence]
    assert heights == [0, 5.25, 10]
    (shared,) = held.SharedFunctionalGroupsSequence
    assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == [1, 0, 0, 0, 1, 0]
    measures = shared.PixelMeasuresSequence[0]
    assert (measures.PixelSpacing, measures.SliceThickness) == ([0.9375, 0.9375], 5)


@needs_dciodvfy
def test_slices_whose_cosines_differ_in_the_last_digit_keep_their_own(tmp_path, outlined, objects) -> None:
    tilted = [0.999999, 0, 0, 0, 1, 0]
    content = [slice_at(0), slice_at(5, ImageOrientationPatient=tilted)]
    series = written(tmp_path / "mr", str(MRImageStorage), content)

    (result,) = objects(series, outlined(mask(1, pixels(1)), mask(2, pixels(2))))

    frames = dcmread(result.path).PerFrameFunctionalGroupsSequence
    assert complaints(result) == []
    assert [one.PlaneOrientationSequence[0].ImageOrientationPatient[0] for one in frames] == [1, 0.999999]


@needs_dciodvfy
def test_an_enhanced_image_passes_the_planes_of_its_frames_on(tmp_path, outlined, objects) -> None:
    def item(**attributes: object) -> Dataset:
        made = Dataset()
        for keyword, value in attributes.items():
            setattr(made, keyword, value)
        return made

    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[1, 1], SliceThickness=3)],
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
    )
    planes = [item(PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 3 * frame])]) for frame in range(4)]
    content = {
        "FrameOfReferenceUID": "2.25.78",
        "NumberOfFrames": 4,
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": planes,
    }
    series = written(tmp_path / "enhanced", str(EnhancedMRImageStorage), [content], frames=4)

    (result,) = objects(series, outlined(mask(1, pixels(2), 2), mask(1, pixels(4), 4)))

    held = read(result)
    assert complaints(result) == []
    np.testing.assert_array_equal(by_frame(held, 1, 2, 4), [pixels(2), pixels(4)])
    positions = [one.PlanePositionSequence[0].ImagePositionPatient for one in held.PerFrameFunctionalGroupsSequence]
    assert positions == [[0, 0, 3], [0, 0, 9]]


@needs_dciodvfy
@pytest.mark.parametrize(
    "fault",
    [
        {"ImagePositionPatient": None},
        {"FrameOfReferenceUID": ""},
        {"FrameOfReferenceUID": "2.25.79"},
        {"PixelSpacing": None},
        {"SliceThickness": None},
    ],
)
def test_one_slice_that_does_not_say_where_it_lies_leaves_all_without_a_plane(
    tmp_path, outlined, objects, fault
) -> None:
    series = written(tmp_path / "mr", str(MRImageStorage), [slice_at(0), slice_at(5, **fault)])

    (result,) = objects(series, outlined(mask(1, pixels(1)), mask(2, pixels(2))))

    held = read(result)
    assert complaints(result) == []
    np.testing.assert_array_equal(by_image(held, 1, 2), [pixels(1), pixels(2)])
    assert "FrameOfReferenceUID" not in held
    assert not any("PlanePositionSequence" in one for one in held.PerFrameFunctionalGroupsSequence)


@needs_dciodvfy
def test_each_flagged_finding_is_a_segment_and_an_overlap_is_said(
    sources, make_recorded, make_finding, objects
) -> None:
    everything = np.ones((ROWS, COLUMNS), bool)
    recorded = make_recorded(
        make_finding(masks=(mask(1, pixels(1)), mask(2, pixels(2))), segmented=LESION),
        make_finding(code=Code("79654002", "SCT", "Edema"), masks=(mask(2, everything),)),
        make_finding(probability=0.1, masks=(mask(3, everything),)),
    )

    (result,) = objects(sized(sources.series("US")), recorded)

    held = read(result)
    assert complaints(result) == []
    assert [held.number_of_segments, held.NumberOfFrames, held.SegmentsOverlap] == [2, 3, "YES"]
    assert [one.value for one in held.segmented_property_types] == [LESION.value, "79654002"]
    np.testing.assert_array_equal(by_image(held, 1, 2), [pixels(1), pixels(2)])
    np.testing.assert_array_equal(by_image(held, 2, segment=2), [everything])


def test_the_segment_names_the_algorithm_and_shares_the_tracking_uid_of_the_report(sources, outlined, objects) -> None:
    recorded = outlined(mask(1, pixels(1)))

    (result,) = objects(sized(sources.series("US")), recorded)

    segment = read(result).get_segment_description(1)
    assert (segment.SegmentAlgorithmType, segment.SegmentAlgorithmName) == ("AUTOMATIC", "ct-ich")
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("ct-ich", "1.2.0")
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeValue == "123110"
    assert f"bundle sha256={'ab' * 32}" in algorithm.AlgorithmParameters
    assert segment.segmented_property_category.value == "49755003"
    assert segment.TrackingUID == tracking_uid(recorded, recorded.analysis.findings[0].code, 1)
    assert segment.SegmentDescription.startswith("AI result, not a diagnosis")


def test_patient_study_and_references_are_those_of_the_images(sources, outlined, objects) -> None:
    recorded = outlined(mask(1, pixels(1)), mask(3, pixels(3)))

    (result,) = objects(sized(sources.series("US")), recorded)

    held = dcmread(result.path)
    assert (held.PatientName, held.PatientID, held.StudyDate) == ("Doe^Jane", "MRN-17", "20260314")
    assert (held.Modality, held.SeriesInstanceUID) == ("SEG", series_uid(recorded, "seg"))
    (series,) = held.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == SERIES
    named = [one.ReferencedSOPInstanceUID for one in series.ReferencedInstanceSequence]
    assert named == [f"{SERIES}.1", f"{SERIES}.3"]
    (source,) = held.PerFrameFunctionalGroupsSequence[1].DerivationImageSequence[0].SourceImageSequence
    assert source.ReferencedSOPInstanceUID == f"{SERIES}.3"
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"


@needs_dciodvfy
def test_losses_of_the_images_are_said_of_what_comes_out_of_them(sources, outlined, objects) -> None:
    lossy = {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": "12.5",
        "LossyImageCompressionMethod": "ISO_10918_1",
    }
    series = sized(sources.series("US", header=lossy))

    (result,) = objects(series, outlined(mask(1, pixels(1))))

    held = dcmread(result.path)
    assert complaints(result) == []
    assert (held.LossyImageCompression, held.LossyImageCompressionRatio) == ("01", 12.5)


def test_stills_of_two_sizes_and_cines_have_an_object_each(sources, outlined, objects) -> None:
    small, large = pixels(1), pixels(2, 16, 20)

    results = objects(sized(sources.series("US"), (ROWS, COLUMNS), (16, 20)), outlined(mask(1, small), mask(2, large)))

    held = [read(result) for result in results]
    assert [(one.Rows, one.Columns, one.InstanceNumber) for one in held] == [(ROWS, COLUMNS, 1), (16, 20, 2)]
    assert len({one.SOPInstanceUID for one in held}) == 2
    assert len({one.SeriesInstanceUID for one in held}) == 1
    np.testing.assert_array_equal(by_image(held[1], 2), [large])


def test_two_cines_have_an_object_each(sources, outlined, objects) -> None:
    series = sized(sources.series("US multi-frame", 2, frames=9))

    results = objects(series, outlined(mask(1, pixels(1), 3), mask(2, pixels(2), 3), mask(2, pixels(3), 9)))

    assert [dcmread(result.path).NumberOfFrames for result in results] == [1, 2]


def test_another_run_gives_the_same_uid_and_the_same_bytes(sources, outlined, objects, device) -> None:
    series, recorded = sized(sources.series("US")), outlined(mask(1, pixels(1)))
    (first,) = objects(series, recorded)
    content = Path(first.path).read_bytes()
    Path(first.path).unlink()

    (second,) = objects(series, recorded)
    later = replace(recorded, revision=4, recorded_at=recorded.recorded_at + timedelta(days=1))
    (outline,) = outlines_of(series, later)

    assert second == first
    assert Path(second.path).read_bytes() == content
    assert first.sop_instance_uid == report_uid(recorded, "seg")
    assert segmentation(outline, series, later, device).SOPInstanceUID == first.sop_instance_uid


def test_without_a_flag_or_without_masks_there_is_no_object(sources, outlined, objects) -> None:
    series = sized(sources.series("US"))

    assert objects(series, outlined()) == ()
    assert objects(series, outlined(mask(1, pixels(1)), probability=0.1)) == ()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (replace(mask(1, pixels(1)), sop_instance_uid=SopInstanceUid("2.25.9")), "needed one of the 3 of"),
        (mask(1, pixels(1, 20, 20)), "20x20 pixels, needed 11x13"),
        (mask(1, pixels(1), 2), "frame 2, needed 1 to 1"),
        (replace(mask(1, pixels(1)), packed="AAAA"), "needed packed bits"),
        (replace(mask(1, pixels(1)), packed=mask(1, pixels(1, 2, 2)).packed), "1 bytes, needed 18 for 143 pixels"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_and_nothing_is_left(
    sources, outlined, objects, writer, wrong: Mask, said: str
) -> None:
    with pytest.raises(InvalidGeometry, match=said):
        objects(sized(sources.series("US")), outlined(wrong))

    assert not [path for path in writer.folder.rglob("*.part") if path.is_file()]


def test_a_lost_image_is_an_error_that_names_it(sources, outlined, objects) -> None:
    series = sized(sources.series("US"))
    Path(series.files[1].path).unlink()

    with pytest.raises(UnreadableInstance, match=rf"instance {SERIES}\.2"):
        objects(series, outlined(mask(2, pixels(2))))
