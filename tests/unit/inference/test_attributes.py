"""Attributes read from the bytes of a header are what pydicom reads from them."""

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from inference.attributes import attribute

WRITTEN = {
    "SOPInstanceUID": "1.2.3",
    "Modality": "CT",
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "PhotometricInterpretation": "MONOCHROME2 ",
    "Rows": 512,
    "PixelPaddingValue": 63536,
    "PixelSpacing": ["0.5", " 0.25"],
    "RescaleSlope": "1e-3",
    "SliceThickness": "",
    "InstanceNumber": "7",
    "RescaleType": "HU",
    "PixelData": b"\0\1",
}


def read_back(syntax):
    dataset, file = Dataset(), BytesIO()
    for keyword, value in WRITTEN.items():
        setattr(dataset, keyword, value)
    dataset.PixelRepresentation, dataset.BitsAllocated = 0, 8
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(file, enforce_file_format=False)
    return lambda: dcmread(BytesIO(file.getvalue()), force=True)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("keyword", [*WRITTEN, "BitsAllocated"])
def test_an_attribute_is_what_pydicom_reads(syntax, keyword):
    reread = read_back(syntax)

    assert attribute(reread(), keyword) == reread().get(keyword)


def test_an_absent_attribute_is_what_the_caller_says():
    dataset = read_back(ExplicitVRLittleEndian)()

    assert attribute(dataset, "FrameOfReferenceUID") is None
    assert attribute(dataset, "FrameOfReferenceUID", "none") == "none"


def test_a_number_that_is_padded_as_texts_are_not_is_read_all_the_same():
    dataset = read_back(ExplicitVRLittleEndian)()
    element = dataset.get_item("RescaleSlope")
    dataset._dict[element.tag] = element._replace(value=b"2.5\0")

    assert attribute(dataset, "RescaleSlope") == 2.5
