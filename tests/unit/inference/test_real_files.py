"""Files as scanners wrote them; they lie beside the repository and never in it."""

from pathlib import Path

import numpy as np
import pytest

from inference import dicom_volume
from inference.decoder_process import DecoderProcess
from inference.stacking import GeometryRule
from triage.errors import InvalidGeometry, UnsupportedPixels

DICOM = Path(__file__).parents[4] / "shared" / "data" / "dicom"

pytestmark = [
    pytest.mark.skipif(not DICOM.is_dir(), reason="no shared data beside the repository"),
    # pydicom warns about what real files get wrong; that is what they are here for.
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

ONE_DECODER = DecoderProcess()


def read_volume(paths, rule=None):
    return dicom_volume.read_volume(paths, rule, ONE_DECODER)


LOSSLESS = (
    "BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2",
    "DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99",
    "JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90",
    "JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80",
    "JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70",
    "JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57",
    "LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1",
    "LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2",
    "RLELosslessTransferSyntax_1.2.840.10008.1.2.5",
)
LOSSY = (
    "JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91",
    "JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81",
)
TWELVE_BIT_JPEG = (
    "JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55",
    "JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51",
    "JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53",
)


def ct_in(syntax: str) -> Path:
    return DICOM / "ct_15_syntaxes" / f"CTImage.dcm_{syntax}.dcm"


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_every_lossless_syntax_gives_the_same_hounsfield_units(syntax):
    original = read_volume([DICOM / "ct_15_syntaxes" / "CTImage.dcm"])

    assert np.array_equal(read_volume([ct_in(syntax)]).values, original.values)
    assert original.unit == "HU"


@pytest.mark.parametrize("syntax", LOSSY)
def test_a_lossy_syntax_stays_within_a_few_hounsfield_units(syntax):
    original = read_volume([DICOM / "ct_15_syntaxes" / "CTImage.dcm"])

    assert np.abs(read_volume([ct_in(syntax)]).values - original.values).mean() < 2


@pytest.mark.parametrize("syntax", TWELVE_BIT_JPEG)
def test_twelve_bit_jpeg_stays_within_its_quantisation(syntax):
    original = read_volume([DICOM / "ct_15_syntaxes" / "CTImage.dcm"])

    # One step of these files is 2 HU (Rescale Slope 2.0002442); lossy JPEG adds about as much again.
    assert np.abs(read_volume([ct_in(syntax)]).values - original.values).mean() < 5


def test_the_three_kinds_of_twelve_bit_jpeg_hold_the_same_coefficients():
    first, second, third = (read_volume([ct_in(syntax)]).values for syntax in TWELVE_BIT_JPEG)

    assert np.array_equal(first, second)
    assert np.array_equal(first, third)


def test_a_head_ct_of_two_slice_distances_and_a_tilted_gantry_is_refused():
    files = sorted((DICOM / "ct_head_ge").glob("*.dcm"))

    with pytest.raises(InvalidGeometry, match=r"slices 1\.08 mm apart among slices 4\.00 mm apart"):
        read_volume(files)
    with pytest.raises(InvalidGeometry, match=r"gantry tilt: .* 18\.5°"):
        read_volume(files[14:])


def test_the_same_head_ct_is_whole_for_a_model_that_looks_at_slices_one_by_one():
    files = sorted((DICOM / "ct_head_ge").glob("*.dcm"))
    rule = GeometryRule(max_tilt_degrees=30, slice_wise=True)

    volume = read_volume(files, rule)

    assert volume.values.shape == (28, 512, 512)
    assert volume.spacing_mm[0] is None
    with pytest.raises(InvalidGeometry, match="absent"):
        _ = volume.affine
    with pytest.raises(InvalidGeometry, match=r"slices 8\.00 mm apart, 4\.00 and 4\.00 mm thick"):
        read_volume(files[:5] + files[6:], rule)


def test_the_upper_half_of_that_head_ct_reads_once_its_tilt_is_allowed():
    files = sorted((DICOM / "ct_head_ge").glob("*.dcm"))[14:]

    volume = read_volume(files, GeometryRule(max_tilt_degrees=30))

    assert (volume.values.shape, volume.unit) == ((14, 512, 512), "HU")
    # The table moves 7.38 mm, of which cos(18.5 degrees) lie along the normal.
    assert volume.spacing_mm == pytest.approx((6.9986, 0.4882812, 0.4882812), abs=1e-4)
    # Image Position of slice 28, its file's own words.
    assert volume.to_patient(np.array([[13.0, 0.0, 0.0]]))[0] == pytest.approx([-125.0, -123.5404569, 157.7760586])
    assert volume.values.min() == -1024  # padded with -1500 outside the circle


@pytest.mark.parametrize("series", ["mr_0003", "mr_0004", "mr_0005", "mr_0006"])
def test_mosaics_of_an_epi_time_series_are_refused(series):
    with pytest.raises(InvalidGeometry, match="two slices at one position"):
        read_volume(sorted((DICOM / "mr_siemens" / series).glob("*.dcm")))


def test_a_siemens_enhanced_mr_is_one_volume():
    volume = read_volume([DICOM / "enhanced" / "Siemens" / "XA10" / "6_1.dcm"])

    assert (volume.values.shape, volume.unit, volume.frame_numbers) == ((6, 64, 64), "stored", (1, 2, 3, 4, 5, 6))
    assert volume.spacing_mm == pytest.approx((2.4, 3.375, 3.375), abs=1e-4)


def test_a_philips_field_map_of_two_image_types_is_refused():
    with pytest.raises(InvalidGeometry, match="two slices at one position"):
        read_volume([DICOM / "enhanced" / "Philips" / "IM_0027_fMAP.dcm"])


def test_an_agfa_copy_of_an_enhanced_mr_is_one_volume():
    volume = read_volume([DICOM / "agfa_private" / "Agfa" / "011-0001.img"])

    assert volume.values.shape == (25, 64, 64)
    assert volume.spacing_mm == pytest.approx((3.3, 3.28125, 3.28125), abs=1e-3)


@pytest.mark.parametrize("compressed", ["JPEG2000Lossless/MR_small_jp2klossless", "RLELossless/MR_small_RLE"])
def test_compressed_mr_equals_the_original(compressed):
    original = read_volume([DICOM / "codecs" / "LittleEndianExplicit" / "MR_small.dcm"])

    assert np.array_equal(read_volume([DICOM / "codecs" / f"{compressed}.dcm"]).values, original.values)


def test_an_inverted_radiograph_is_bright_where_it_was_dark():
    volume = read_volume([DICOM / "codecs" / "JPEG2000" / "RG3_J2KI.dcm"])

    assert (volume.values.min(), volume.values.max()) == (0, 1023)  # 10 bits, MONOCHROME1
    assert volume.values.shape == (1, 1760, 1760)


@pytest.mark.parametrize(
    "name",
    ["JPEG2000Lossless/US1_J2KR.dcm", "RLELossless/OBXXXX1A_rle.dcm", "JPEGExtended/JPEGExtended_3s_1f_u_08_08.dcm"],
)
def test_colour_ultrasound_is_read_as_luminance(name):
    volume = read_volume([DICOM / "codecs" / name])

    assert volume.unit == "stored"
    assert 0 <= volume.values.min() < volume.values.max() <= 255


@pytest.mark.parametrize("path", sorted((DICOM / "codecs").rglob("*.dcm")), ids=lambda path: path.name)
def test_every_file_gives_a_volume_or_a_reason(path):
    try:
        values = read_volume([path]).values
    except (InvalidGeometry, UnsupportedPixels) as reason:
        values, words = np.zeros(1), str(reason)
    else:
        words = "a volume"

    assert np.isfinite(values).all()
    assert len(words.split()) > 1
