"""Frames as the quick look sends them, and the key image with its caption, from files of the simulator."""

import gzip
import io
from copy import deepcopy
from functools import cache

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset

from dicom_gateway.simulator.modality import SimulationPlan, simulated_studies
from inference.display import CACHE_BYTES, LONGEST_SIDE, FrameReader
from triage.errors import UnreadableInstance


@pytest.fixture
def reader():
    return FrameReader()


@cache
def an_image_of(kind) -> Dataset:
    (study,) = simulated_studies(SimulationPlan((kind,), 1, 0.0, 4, 0.0))
    return next(one for one in study.images if "LOCALIZER" not in one.ImageType)


def a_file(folder, kind, **changes) -> str:
    """Write one simulated image of `kind`, with `changes` of its elements."""
    image = deepcopy(an_image_of(kind))
    for keyword, value in changes.items():
        setattr(image, keyword, value)
    path = folder / f"{kind}.dcm"
    image.save_as(path, enforce_file_format=True)
    return str(path)


def values_of(frame):
    stored = np.frombuffer(gzip.decompress(frame.body), "<u2").reshape(frame.about["rows"], frame.about["columns"])
    return frame.about["intercept"] + frame.about["slope"] * stored


def test_hounsfield_units_arrive_exactly(reader, tmp_path):
    path = a_file(tmp_path, "ct")
    dataset = dcmread(path)
    expected = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)

    frame = reader.frame(path, 0)

    assert (frame.about["kind"], frame.about["unit"], frame.about["slope"]) == ("grey", "HU", 1.0)
    np.testing.assert_array_equal(values_of(frame), expected)


def test_a_large_image_is_reduced_to_what_a_screen_shows_and_says_so(reader, tmp_path):
    path = a_file(tmp_path, "dx")
    dataset = dcmread(path)
    pixels = np.resize(dataset.pixel_array, (3000, 2000))
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(path)

    about = reader.frame(path, 0).about

    assert about["reduced"] == 3
    assert about["matrix"] == [3000, 2000]
    assert max(about["rows"], about["columns"]) <= LONGEST_SIDE


def test_a_reduced_image_is_the_mean_of_its_blocks(reader, tmp_path):
    path = a_file(tmp_path, "us")
    dataset = dcmread(path)
    rows, columns = 2 * LONGEST_SIDE, 4
    pixels = np.arange(rows, dtype=np.uint8)[:, None].repeat(columns, axis=1)
    dataset.Rows, dataset.Columns, dataset.PixelData = rows, columns, pixels.tobytes()
    dataset.save_as(path)

    values = values_of(reader.frame(path, 0))

    assert values[0, 0] == pytest.approx(0.5, abs=0.01)  # rows 0 and 1
    assert values[5, 1] == pytest.approx(10.5, abs=0.01)  # rows 10 and 11


def test_every_frame_of_a_moving_colour_ultrasound_is_an_image(reader, tmp_path):
    path = a_moving_ultrasound(tmp_path)

    frames = [reader.frame(path, index) for index in range(3)]

    assert {frame.media_type for frame in frames} == {"image/jpeg"}
    assert frames[0].about["frame_time_ms"] == 40.0
    reds = [np.asarray(Image.open(io.BytesIO(frame.body)))[..., 0].mean() for frame in frames]
    assert reds == pytest.approx([0, 80, 160], abs=4)
    with pytest.raises(UnreadableInstance, match="3 frames, none at 4"):
        reader.frame(path, 3)


def test_the_window_of_the_file_is_used_where_it_has_one(reader, tmp_path):
    assert reader.frame(a_file(tmp_path, "ct", WindowCenter=[35, 300], WindowWidth=[80, 1500]), 0).about["window"] == [
        35,
        80,
    ]


def test_the_caption_and_the_boxes_are_burned_into_the_key_image(reader, tmp_path):
    path = a_file(tmp_path, "ct")

    plain = drawn(reader.key_image(path, 0, (40.0, 80.0), "AI result, not for diagnosis", ()))
    boxed = drawn(reader.key_image(path, 0, (40.0, 80.0), "AI result", ((100.0, 120.0, 200.0, 220.0),)))

    scale = boxed.shape[1] // int(an_image_of("ct").Columns)
    assert is_amber(plain[-30:]).sum() > 100
    assert not is_amber(plain[:-40]).any()
    assert is_amber(boxed[120 * scale, 100 * scale : 200 * scale]).all()
    assert is_amber(boxed[120 * scale : 220 * scale, 100 * scale]).all()


def test_a_file_that_is_no_image_is_told_as_such(reader, tmp_path):
    (tmp_path / "x.dcm").write_bytes(b"no DICOM")

    for path in (tmp_path / "x.dcm", tmp_path / "absent.dcm"):
        with pytest.raises(UnreadableInstance):
            reader.frame(str(path), 0)


def test_a_frame_is_read_once_and_memory_is_bounded(reader, tmp_path, monkeypatch):
    path = a_file(tmp_path, "ct")
    first = reader.frame(path, 0)
    (tmp_path / "ct.dcm").unlink()

    assert reader.frame(path, 0) is first
    monkeypatch.setattr("inference.display.CACHE_BYTES", len(first.body))
    reader.frame(a_file(tmp_path, "us"), 0)
    with pytest.raises(UnreadableInstance):
        reader.frame(path, 0)
    assert CACHE_BYTES > 0


def a_moving_ultrasound(folder) -> str:
    """Write three frames of 32 by 40 in RGB, each of one red, 40 ms apart."""
    dataset: FileDataset = dcmread(a_file(folder, "us"))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.NumberOfFrames, dataset.FrameTime, dataset.Rows, dataset.Columns = 3, "40", 32, 40
    frames = np.zeros((3, 32, 40, 3), dtype=np.uint8)
    frames[..., 0] = np.array([0, 80, 160], dtype=np.uint8)[:, None, None]
    dataset.PixelData = frames.tobytes()
    path = folder / "moving.dcm"
    dataset.save_as(path)
    return str(path)


def drawn(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def is_amber(pixels):
    return (pixels == (255, 203, 107)).all(axis=-1)
