"""Outlines as DICOM Segmentation: the pixels come back, the object is valid, the same analysis gives the same bytes."""

import base64
import re
import shutil
import subprocess
import zlib
from dataclasses import replace

import highdicom
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import UltrasoundMultiFrameImageStorage

from deploy.measuring import header_of_file
from dicom_gateway.results.writer import DicomReportWriter
from triage.errors import InvalidGeometry
from triage.findings import Code, ImageScore, Mask
from triage.identifiers import Sha256, SopInstanceUid
from triage.study import Series, StoredFile
from validation.to_dicom import to_dicom

LESION = Code("52988006", "SCT", "Lesion")
DCIODVFY = shutil.which("dciodvfy")
TOML = """name = "drawn"
modality = "{modality}"
body_part = "{part}"
task = "{task}"
licence = "none"
citation = "none"
[columns]
image = "image"
study = "study"
image_label = "label"
{order}
[stored_values]
slope = 1.0
intercept = 0.0
unit = "grey"
"""


@pytest.fixture
def converted(tmp_path):
    """Return a function that writes images of a modality as DICOM and returns their series."""

    def convert(modality: str, sizes: list[tuple[int, int]]) -> Series:
        folder = tmp_path / "set"
        folder.mkdir()
        slices = modality == "MR"
        order, task = ('order = "place"', "FLAIR abnormality") if slices else ("", "malignant breast lesion")
        part = "BRAIN" if slices else "BREAST"
        (folder / "dataset.toml").write_text(TOML.format(modality=modality, part=part, task=task, order=order))
        lines = ["image,study,label,place"]
        for place, size in enumerate(sizes):
            grey = np.random.default_rng(place).integers(0, 255, size).astype(np.uint8)
            Image.fromarray(grey).save(folder / f"{place}.png")
            lines.append(f"{place}.png,one,1,{place}")
        (folder / "labels.csv").write_text("\n".join(lines) + "\n")
        to_dicom(folder, tmp_path / "dicom", lambda _done, _all: None)
        return series_of(sorted((tmp_path / "dicom").rglob("*.dcm")))

    return convert


def series_of(paths) -> Series:
    headers = [header_of_file(path) for path in paths]
    ordered = sorted(zip(headers, paths, strict=True), key=lambda pair: pair[0].image.instance_number or 0)
    return Series(
        header=headers[0].series,
        study_description=headers[0].study.study_description,
        images=tuple(header.image for header, _ in ordered),
        files=tuple(StoredFile(Sha256("0" * 64), 1, str(path), "1.2.840.10008.1.2.1") for _, path in ordered),
    )


def a_mask(image, pixels, frame=None) -> Mask:
    packed = base64.b64encode(zlib.compress(np.packbits(pixels).tobytes())).decode()
    return Mask(image.sop_instance_uid, *pixels.shape, packed, frame)


def a_disc(rows: int, columns: int, radius: float = 9.0):
    row, column = np.mgrid[0:rows, 0:columns]
    return np.hypot(row - rows / 3, column - columns / 2) < radius


@pytest.fixture
def write(tmp_path, study, make_recorded, make_finding):
    """Return a function that writes the results of one finding with masks; the report comes first."""

    def results(series, masks, folder="results", **changes):
        usual = {"regions": (), "image_scores": (), "masks": tuple(masks), "segmented": LESION}
        finding = make_finding(**usual | changes)
        recorded = make_recorded(finding)
        analysis = replace(recorded.analysis, series_instance_uid=series.header.series_instance_uid)
        return DicomReportWriter(tmp_path / folder, "0.1.0").write(
            study, series, replace(recorded, analysis=analysis), None
        )

    return results


def complaints(path: str) -> list[str]:
    said = subprocess.run([str(DCIODVFY), path], capture_output=True, text=True, timeout=50, check=False)
    return [line for line in (said.stdout + said.stderr).splitlines() if re.match(r"Error", line)]


def test_the_masks_of_slices_come_back_with_their_images(converted, write):
    series = converted("MR", [(64, 80)] * 4)
    masks = [a_mask(series.images[index], a_disc(64, 80, 6 + index)) for index in (1, 2)]

    report, outline = write(series, masks)

    assert (report.kind, outline.kind) == ("sr", "seg")
    found = highdicom.seg.segread(outline.path)
    uids = [mask.sop_instance_uid for mask in masks]
    pixels = found.get_pixels_by_source_instance(uids, segment_numbers=[1])[..., 0]
    np.testing.assert_array_equal(pixels > 0, np.stack([a_disc(64, 80, 7), a_disc(64, 80, 8)]))
    assert found.get_segment_description(1).segmented_property_type.meaning == "Lesion"


def test_stills_of_two_sizes_make_two_objects(converted, write):
    series = converted("US", [(60, 80), (70, 90)])
    sizes = [(image.rows, image.columns) for image in series.images]
    masks = [a_mask(image, a_disc(*size)) for image, size in zip(series.images, sizes, strict=True)]

    _, *outlines = write(series, masks)

    assert len({one.sop_instance_uid for one in outlines}) == len(outlines) == 2
    for one in outlines:
        found = highdicom.seg.segread(one.path)
        (source,) = {
            str(item.ReferencedSOPInstanceUID) for item in found.ReferencedSeriesSequence[0].ReferencedInstanceSequence
        }
        mask = next(mask for mask in masks if mask.sop_instance_uid == source)
        np.testing.assert_array_equal(
            found.pixel_array.reshape(mask.rows, mask.columns) > 0, a_disc(mask.rows, mask.columns)
        )


def test_of_a_clip_the_most_suspicious_frame_is_outlined_and_named(converted, write, tmp_path):
    series = converted("US", [(60, 80)])
    clip = dcmread(series.files[0].path)
    clip.SOPClassUID = clip.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    clip.NumberOfFrames, clip.PixelData = 3, clip.PixelData * 3
    clip.save_as(series.files[0].path)

    uid = series.images[0].sop_instance_uid
    scores = tuple(ImageScore(uid, score, frame) for frame, score in ((1, 0.2), (2, 0.9), (3, 0.4)))
    masks = [a_mask(series.images[0], a_disc(60, 80, radius), frame) for frame, radius in ((1, 5), (2, 9), (3, 12))]

    _, outline = write(series, masks, image_scores=scores)

    found = dcmread(outline.path)
    (groups,) = found.PerFrameFunctionalGroupsSequence
    source = groups.DerivationImageSequence[0].SourceImageSequence[0]
    assert (source.ReferencedSOPInstanceUID, source.ReferencedFrameNumber) == (uid, 2)
    np.testing.assert_array_equal(found.pixel_array > 0, a_disc(60, 80, 9))


@pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy is missing: run tests/install_peers.sh")
@pytest.mark.parametrize(("modality", "images"), [("MR", 3), ("US", 1)])
def test_an_outline_is_a_valid_object(converted, write, modality, images):
    series = converted(modality, [(64, 64)] * images)

    _, outline = write(series, [a_mask(image, a_disc(64, 64)) for image in series.images])

    assert complaints(outline.path) == []


def test_the_same_analysis_gives_the_same_bytes(converted, write):
    series = converted("MR", [(64, 64)] * 3)
    masks = [a_mask(series.images[1], a_disc(64, 64))]

    _, first = write(series, masks, "first")
    _, second = write(series, masks, "second")

    assert (first.sop_instance_uid, first.sha256) == (second.sop_instance_uid, second.sha256)


def test_a_finding_that_is_not_flagged_is_not_outlined_in_pacs(converted, write):
    series = converted("MR", [(64, 64)] * 3)

    results = write(series, [a_mask(series.images[1], a_disc(64, 64))], probability=0.1)

    assert [one.kind for one in results] == ["sr"]


def test_a_mask_on_another_image_is_refused(converted, write):
    series = converted("MR", [(64, 64)] * 3)
    stranger = replace(a_mask(series.images[1], a_disc(64, 64)), sop_instance_uid=SopInstanceUid("1.2.3.4"))

    with pytest.raises(InvalidGeometry, match=r"mask on instance 1\.2\.3\.4"):
        write(series, [stranger])
