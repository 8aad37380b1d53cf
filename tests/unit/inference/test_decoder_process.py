"""A decoder that dies of damaged pixels takes nobody with it."""

import os
import signal
import sys
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGExtended12Bit, JPEGLosslessSV1

from inference.decoder_process import DecoderProcess, serve
from inference.decoding import can_kill_the_process
from triage.errors import UnsupportedPixels

JPEG_HEADER = bytes.fromhex("ffd8ffc3000b1000040004010111 00ffc4001500010000000000000000000000000000000000ffda")


@pytest.fixture
def damaged(write_image):
    """A lossless JPEG whose scan ends after its header."""
    pixels = encapsulate([JPEG_HEADER + b"\0\x08\1\1\0\1\0\0" + b"\xff\xd9"])
    return dcmread(write_image(np.zeros((4, 4), np.uint16), JPEGLosslessSV1, PixelData=pixels))


def test_damaged_jpeg_is_refused_by_name(damaged):
    with pytest.raises(UnsupportedPixels, match=f"{damaged.SOPInstanceUID}: JPEG Lossless.*cannot be decoded"):
        DecoderProcess().decoded(damaged)


def test_a_decoder_that_dies_is_an_error_and_the_next_image_gets_another(damaged):
    process = DecoderProcess()
    with pytest.raises(UnsupportedPixels):
        process.decoded(damaged)
    first = process._living_child()
    os.kill(first.pid, signal.SIGSTOP)
    os.kill(first.pid, signal.SIGABRT)
    os.kill(first.pid, signal.SIGCONT)

    with pytest.raises(UnsupportedPixels, match="cannot be decoded"):
        process.decoded(damaged)

    assert process._living_child().poll() is None


def test_pixels_that_endanger_nobody_start_no_process(write_image):
    process = DecoderProcess()

    pixels = process.decoded(dcmread(write_image(np.arange(16, dtype=np.int16).reshape(4, 4))))

    assert pixels.array.ravel().tolist() == list(range(16))
    assert process._child is None


@pytest.mark.parametrize(
    ("syntax", "bits_stored", "expected"),
    [
        (JPEGLosslessSV1, 16, True),
        (JPEGExtended12Bit, 12, True),
        (JPEGExtended12Bit, 8, False),
        (JPEG2000Lossless, 16, False),
    ],
)
def test_only_what_gdcm_alone_decodes_is_decoded_elsewhere(write_image, syntax, bits_stored, expected):
    path = write_image(np.zeros((4, 4), np.uint16), syntax, BitsStored=bits_stored, PixelData=encapsulate([b"\0\0"]))

    assert can_kill_the_process(dcmread(path)) is expected


def test_the_child_answers_with_the_pixels_or_with_an_error(write_image):
    good = write_image(np.array([[1, 2], [3, 4]], np.int16))
    bad = write_image(np.zeros((2, 2), np.int16), PixelData=b"\0\0")
    answers = BytesIO()

    serve(BytesIO(f'"{good}"\n"{bad}"\n'.encode()), answers)

    header, rest = answers.getvalue().split(b"\n", 1)
    assert b'"shape": [1, 2, 2]' in header
    assert rest[:8] == np.array([1, 2, 3, 4], np.int16).tobytes() or sys.byteorder == "big"
    assert rest[8:].startswith(b'{"error": ')
