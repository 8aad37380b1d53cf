"""From stored bits to Hounsfield units or stored units."""

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    JPEG2000Lossless,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from inference.decoding import decoded
from inference.dicom_pixels import frame_pixels
from triage.errors import UnsupportedPixels

NO_RESCALE = {"RescaleSlope": None, "RescaleIntercept": None}
RADIOGRAPH = {"SOPClassUID": ComputedRadiographyImageStorage, "Modality": "CR", **NO_RESCALE}


def frames(dataset):
    return frame_pixels(dataset, decoded(dataset))


def only_frame(path):
    (frame,) = frames(dcmread(path))
    return frame


def test_ct_pixels_become_hounsfield_units(write_image):
    frame = only_frame(write_image(np.array([[0, 1024], [2048, 4095]], np.uint16), RescaleIntercept=-1024))

    assert (frame.unit, frame.values.dtype) == ("HU", np.float32)
    assert frame.values.tolist() == [[-1024, 0], [1024, 3071]]


def test_a_scale_below_one_is_not_rounded_to_whole_numbers(write_image):
    pet = {"SOPClassUID": PositronEmissionTomographyImageStorage, "Modality": "PT", "RescaleSlope": "0.37"}
    frame = only_frame(write_image(np.array([[3]], np.int16), **pet))

    assert frame.unit == "stored"
    assert frame.values[0, 0] == pytest.approx(1.11)


@pytest.mark.parametrize(
    ("attributes", "unit"),
    [
        ({"RescaleType": "HU"}, "HU"),
        ({"RescaleType": "US"}, "stored"),
        ({"RescaleType": "MGML"}, "stored"),
        (NO_RESCALE, "stored"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "stored"),
        ({"SOPClassUID": MRImageStorage, "Modality": "MR"}, "stored"),
    ],
)
def test_only_a_rescaled_ct_object_is_in_hounsfield_units(write_image, attributes, unit):
    assert only_frame(write_image(np.array([[1]], np.int16), **attributes)).unit == unit


def test_bits_above_the_stored_ones_are_ignored(write_image):
    # 12 bits stored in 16: the overlay bit 15 of an old scanner is set on the second pixel, whose value is 5.
    frame = only_frame(write_image(np.array([[5, 0x8005]], np.uint16), BitsStored=12))

    assert frame.values.tolist() == [[5, 5]]


def test_the_sign_is_the_highest_stored_bit(write_image):
    # 0x0FFF is -1 in 12 bits, 0x0800 is -2048, whatever stands above.
    frame = only_frame(write_image(np.array([[0x0FFF, 0x0800, 0x7FF]], np.int16), BitsStored=12))

    assert frame.values.tolist() == [[-1, -2048, 2047]]


def test_a_value_in_the_upper_bits_is_moved_down(write_image):
    frame = only_frame(write_image(np.array([[0x0050, 0x005F]], np.uint16), BitsStored=12, HighBit=15))

    assert frame.values.tolist() == [[5, 5]]


def test_padding_of_a_ct_becomes_air(write_image):
    image = np.array([[-2000, 40]], np.int16)

    assert only_frame(write_image(image, PixelPaddingValue=-2000)).values.tolist() == [[-1024, 40]]


def test_padding_is_found_in_bits_that_pixels_do_not_use(write_image):
    image = np.array([[0xF000, 1064]], np.uint16)
    frame = only_frame(write_image(image, BitsStored=12, PixelPaddingValue=0xF000, RescaleIntercept=-1024))

    assert frame.values.tolist() == [[-1024, 40]]


def test_a_range_of_padding_becomes_the_darkest_real_value(write_image):
    image = np.array([[0, 3, 7, 90]], np.uint16)
    frame = only_frame(write_image(image, PixelPaddingValue=0, PixelPaddingRangeLimit=5, **RADIOGRAPH))

    assert frame.values.tolist() == [[7, 7, 7, 90]]


def test_an_image_of_padding_alone_is_black(write_image):
    frame = only_frame(write_image(np.array([[9, 9]], np.uint16), PixelPaddingValue=9, **RADIOGRAPH))

    assert frame.values.tolist() == [[0, 0]]


def test_monochrome1_is_inverted_within_its_valid_bits(write_image):
    inverted = RADIOGRAPH | {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 10}
    frame = only_frame(write_image(np.array([[0, 1023, 100]], np.uint16), **inverted))

    assert frame.values.tolist() == [[1023, 0, 923]]  # 2^10 - 1 - v


def test_signed_monochrome1_is_inverted_about_minus_one_half(write_image):
    inverted = RADIOGRAPH | {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12}
    frame = only_frame(write_image(np.array([[-2048, 2047, 0]], np.int16), **inverted))

    assert frame.values.tolist() == [[2047, -2048, -1]]


def test_hounsfield_units_are_never_inverted(write_image):
    frame = only_frame(write_image(np.array([[-1000, 40]], np.int16), PhotometricInterpretation="MONOCHROME1"))

    assert frame.values.tolist() == [[-1000, 40]]


def test_a_modality_table_replaces_the_rescale(write_image):
    table = Dataset()
    table.LUTDescriptor = [4, 0, 16]
    table["LUTDescriptor"].VR = "US"
    table.ModalityLUTType = "US"
    table.LUTData = [10, 20, 40, 80]
    table["LUTData"].VR = "US"
    frame = only_frame(write_image(np.array([[0, 1, 2, 3]], np.uint16), ModalityLUTSequence=[table], **RADIOGRAPH))

    assert frame.values.tolist() == [[10, 20, 40, 80]]


def test_a_slope_of_zero_is_refused(write_image):
    with pytest.raises(UnsupportedPixels, match="Rescale Slope 0"):
        only_frame(write_image(np.array([[1]], np.int16), RescaleSlope=0))


COLOUR = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB", "Rows": 1, **NO_RESCALE}


def test_colour_ultrasound_becomes_its_luminance(write_image):
    pixels = np.array([[255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255]], np.uint8)
    ultrasound = COLOUR | {"SOPClassUID": UltrasoundImageStorage, "Modality": "US", "Columns": 4}
    frame = only_frame(write_image(pixels, **ultrasound))

    # 255 x (1, 0.299, 0.587, 0.114)
    assert frame.values.tolist()[0] == pytest.approx([255, 76.245, 149.685, 29.07], abs=1e-3)
    assert frame.unit == "stored"


def test_colour_of_another_modality_is_refused(write_image):
    capture = COLOUR | {"SOPClassUID": SecondaryCaptureImageStorage, "Modality": "OT", "Columns": 1}

    with pytest.raises(UnsupportedPixels, match=r"colour pixels \(RGB\) of modality OT"):
        only_frame(write_image(np.array([[1, 2, 3]], np.uint8), **capture))


def test_damaged_compressed_pixels_are_refused_by_name(write_image):
    damaged = encapsulate([b"\xff\x4f\xff\x51 nothing that decodes \x00\x00"])
    path = write_image(np.zeros((2, 2), np.int16), transfer_syntax=JPEG2000Lossless, PixelData=damaged)

    with pytest.raises(UnsupportedPixels, match=rf"{path.stem}: JPEG 2000 .*cannot be decoded"):
        frames(dcmread(path))


def test_missing_bytes_are_refused_by_name(write_image):
    path = write_image(np.zeros((4, 4), np.int16), PixelData=b"\0" * 10)

    with pytest.raises(UnsupportedPixels, match=rf"{path.stem}: .*cannot be decoded"):
        frames(dcmread(path))


def test_an_object_without_pixels_is_refused(write_image):
    dataset = dcmread(write_image(np.zeros((4, 4), np.int16)))
    del dataset.PixelData

    with pytest.raises(UnsupportedPixels, match="no pixel data"):
        frames(dataset)
