"""Files of one series become one volume, or a reason why they do not."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    EnhancedCTImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

from inference.dicom_volume import read_volume
from inference.stacking import GeometryRule
from triage.errors import InvalidGeometry, UnreadableInstance, UnsupportedPixels

UNPLACED = {
    "ImagePositionPatient": None,
    "ImageOrientationPatient": None,
    "RescaleSlope": None,
    "RescaleIntercept": None,
    "PixelSpacing": None,
    "FrameOfReferenceUID": None,
}


class TestSilentCorruption:
    """What a widespread reader gets wrong without a word (facts: inference, a to e)."""

    def test_the_first_slice_does_not_decide_the_type_of_the_others(self, write_image):
        pet = {"SOPClassUID": PositronEmissionTomographyImageStorage, "Modality": "PT"}
        whole = write_image(np.array([[3]], np.int16), RescaleSlope=1, **pet)
        fraction = write_image(
            np.array([[3]], np.int16), RescaleSlope="0.37", ImagePositionPatient=[0.0, 0.0, 5.0], **pet
        )

        assert read_volume([whole, fraction]).values.ravel() == pytest.approx([3.0, 1.11])

    def test_air_stays_below_zero_after_a_slice_without_air(self, write_image):
        bone = write_image(np.array([[100, 200]], np.int16))
        air = write_image(np.array([[-1000, 0]], np.int16), ImagePositionPatient=[0.0, 0.0, 5.0])

        assert read_volume([bone, air]).values[1].tolist() == [[-1000, 0]]

    def test_a_hole_in_the_stack_is_refused(self, write_stack):
        with pytest.raises(InvalidGeometry, match=r"slices 6\.00 mm apart among slices 1\.00 mm apart"):
            read_volume(write_stack([0, 1, 2, 3, 9, 10, 11]))

    def test_pixel_spacing_is_rows_first(self, write_stack):
        volume = read_volume(write_stack([0, 5], PixelSpacing=[0.5, 0.8]))

        assert volume.spacing_mm == (5.0, 0.5, 0.8)
        # One row down is 0.5 mm to the back (y), one column on is 0.8 mm to the left (x).
        assert volume.to_patient(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])).tolist() == [[0, 0.5, 0], [0.8, 0, 0]]

    def test_two_phases_in_one_series_are_refused(self, write_stack):
        with pytest.raises(InvalidGeometry, match="two slices at one position"):
            read_volume(write_stack([0, 5, 10, 0, 5, 10]))


class TestLaterality:
    """A bright spot on the patient's left is on the left (+x in LPS) however the image is written."""

    def spot_mm(self, path):
        volume = read_volume([path])
        voxel = np.argwhere(volume.values == 900).astype(np.float64)
        return volume.to_patient(voxel)[0].tolist()

    def test_rows_that_run_to_the_left(self, write_image):
        image = np.zeros((4, 8), np.int16)
        image[1, 7] = 900

        path = write_image(image, ImagePositionPatient=[-3.5, -1.5, 0.0], PixelSpacing=[1, 1])

        assert self.spot_mm(path) == [3.5, -0.5, 0.0]

    def test_rows_that_run_to_the_right(self, write_image):
        image = np.zeros((4, 8), np.int16)
        image[1, 0] = 900

        path = write_image(
            image,
            ImagePositionPatient=[3.5, -1.5, 0.0],
            ImageOrientationPatient=[-1, 0, 0, 0, 1, 0],
            PixelSpacing=[1, 1],
        )

        assert self.spot_mm(path) == [3.5, -0.5, 0.0]

    def test_slices_written_from_head_to_feet(self, write_image):
        image = np.zeros((4, 8), np.int16)
        image[1, 7] = 900
        paths = [
            write_image(image if height == 20 else image * 0, ImagePositionPatient=[0.0, 0.0, height], InstanceNumber=n)
            for n, height in enumerate([20, 15, 10], start=1)
        ]

        volume = read_volume(paths)

        assert np.argwhere(volume.values == 900).tolist() == [[2, 1, 7]]
        assert volume.sop_instance_uids[2] == paths[0].stem


def test_slices_are_named_in_their_order(write_stack):
    paths = write_stack([10, 0, 5])

    assert [str(uid) for uid in read_volume(paths).sop_instance_uids] == [paths[i].stem for i in (1, 2, 0)]


def test_a_tilted_gantry_is_refused_unless_the_rule_allows_it(write_image):
    paths = [write_image(np.zeros((2, 2), np.int16), ImagePositionPatient=[0.0, 1.5 * i, 5.0 * i]) for i in range(4)]

    with pytest.raises(InvalidGeometry, match=r"gantry tilt: .* 16\.7°"):
        read_volume(paths)
    assert read_volume(paths, GeometryRule(max_tilt_degrees=20)).slice_step_mm == (0.0, 1.5, 5.0)


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"SeriesInstanceUID": generate_uid()}, "2 series"),
        ({"FrameOfReferenceUID": generate_uid()}, "2 frames of reference"),
        ({"RescaleType": "MGML"}, "2 units"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "different orientations"),
        ({"PixelSpacing": [0.7, 0.7]}, "different Pixel Spacing"),
        ({"ImagePositionPatient": None}, "without Image Position"),
        ({"ImagePositionPatient": [0.0, 10.0]}, "ImagePositionPatient holds 2 numbers, needed 3"),
        ({"PixelSpacing": [0.0, 0.5]}, "needed two above zero"),
    ],
)
def test_a_slice_that_does_not_belong_is_refused(write_image, write_stack, odd, reason):
    third = {"ImagePositionPatient": [0.0, 0.0, 10.0]} | odd
    paths = [*write_stack([0, 5]), write_image(np.zeros((4, 4), np.int16), **third)]

    with pytest.raises(InvalidGeometry, match=reason):
        read_volume(paths)


def test_images_of_two_sizes_are_refused(write_image, write_stack):
    other = write_image(np.zeros((4, 5), np.int16), ImagePositionPatient=[0.0, 0.0, 10.0])

    with pytest.raises(InvalidGeometry, match="2 matrices"):
        read_volume([*write_stack([0, 5]), other])


def test_one_instance_in_two_files_is_refused(write_stack):
    (path,) = write_stack([0])
    copy = path.with_name("copy.dcm")
    copy.write_bytes(path.read_bytes())

    with pytest.raises(InvalidGeometry, match="one instance in two files"):
        read_volume([path, copy])


def test_a_series_without_images_is_refused():
    with pytest.raises(InvalidGeometry, match="without images"):
        read_volume([])


def test_a_file_that_is_not_dicom_is_refused(tmp_path):
    path = tmp_path / "note.dcm"
    path.write_text("not an image")

    with pytest.raises(UnreadableInstance, match=r"note\.dcm: not a readable DICOM file"):
        read_volume([path])


def test_a_missing_file_is_refused():
    with pytest.raises(UnreadableInstance, match=r"gone\.dcm"):
        read_volume([Path("gone.dcm")])


def test_slices_of_a_tomography_without_position_are_refused(write_image):
    mr = UNPLACED | {"SOPClassUID": MRImageStorage, "Modality": "MR"}
    paths = [write_image(np.zeros((2, 2), np.int16), **mr) for _ in range(2)]

    with pytest.raises(InvalidGeometry, match="without Image Position"):
        read_volume(paths)


def test_a_radiograph_is_a_volume_of_one_slice(write_image):
    dx = UNPLACED | {"SOPClassUID": DigitalXRayImageStorageForPresentation, "Modality": "DX"}
    volume = read_volume([write_image(np.array([[1, 2]], np.uint16), ImagerPixelSpacing=[0.14, 0.15], **dx)])

    assert volume.values.tolist() == [[[1, 2]]]
    assert volume.spacing_mm == (None, 0.14, 0.15)
    assert (volume.unit, volume.frame_numbers, volume.origin_mm) == ("stored", (None,), None)


def test_ultrasound_stills_keep_the_order_of_their_numbers(write_image):
    us = UNPLACED | {"SOPClassUID": UltrasoundImageStorage, "Modality": "US"}
    paths = [write_image(np.full((2, 2), number, np.uint8), InstanceNumber=number, **us) for number in (3, 1, 2)]

    volume = read_volume(paths)

    assert volume.values[:, 0, 0].tolist() == [1, 2, 3]
    assert volume.spacing_mm == (None, None, None)


def test_the_frames_of_a_clip_are_numbered_from_one_and_measured_by_their_region(write_image):
    region = Dataset()
    region.RegionSpatialFormat = 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.02, 0.03
    clip = UNPLACED | {
        "SOPClassUID": UltrasoundMultiFrameImageStorage,
        "Modality": "US",
        "NumberOfFrames": 3,
        "SequenceOfUltrasoundRegions": [region],
    }

    volume = read_volume([write_image(np.arange(12, dtype=np.uint8).reshape(3, 2, 2), **clip)])

    assert volume.frame_numbers == (1, 2, 3)
    assert volume.spacing_mm == pytest.approx((None, 0.3, 0.2))  # centimetres in the header
    assert volume.values[2].tolist() == [[8, 9], [10, 11]]


class TestEnhancedCt:
    """One object, many frames, each with its own place and scale."""

    def write(self, write_image, heights_mm, slopes):
        frames = []
        for height, slope in zip(heights_mm, slopes, strict=True):
            position, transformation, frame = Dataset(), Dataset(), Dataset()
            position.ImagePositionPatient = [0.0, 0.0, height]
            transformation.RescaleSlope, transformation.RescaleIntercept = slope, -1000
            transformation.RescaleType = "HU"
            frame.PlanePositionSequence = [position]
            frame.PixelValueTransformationSequence = [transformation]
            frames.append(frame)
        orientation, measures, shared = Dataset(), Dataset(), Dataset()
        orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        measures.PixelSpacing = [0.5, 0.8]
        shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
        return write_image(
            np.full((len(frames), 2, 2), 100, np.uint16),
            **UNPLACED,
            SOPClassUID=EnhancedCTImageStorage,
            NumberOfFrames=len(frames),
            PerFrameFunctionalGroupsSequence=frames,
            SharedFunctionalGroupsSequence=[shared],
        )

    def test_each_frame_has_its_own_place_and_scale(self, write_image):
        volume = read_volume([self.write(write_image, [10, 0, 5], [1, 2, 3])])

        assert volume.frame_numbers == (2, 3, 1)
        assert volume.values[:, 0, 0].tolist() == [-800, -700, -900]  # 100 x slope - 1000
        assert (volume.unit, volume.spacing_mm) == ("HU", (5.0, 0.5, 0.8))

    def test_two_stacks_in_one_object_are_refused(self, write_image):
        with pytest.raises(InvalidGeometry, match="two slices at one position"):
            read_volume([self.write(write_image, [0, 5, 0, 5], [1, 1, 1, 1])])


def test_an_undecodable_slice_names_its_instance(write_stack, write_image):
    broken = write_image(np.zeros((4, 4), np.int16), PixelData=b"\0\0", ImagePositionPatient=[0.0, 0.0, 10.0])

    with pytest.raises(UnsupportedPixels, match=broken.stem):
        read_volume([*write_stack([0, 5]), broken])
