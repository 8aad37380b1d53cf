"""What a sound sender says, built from the standard's own structures: data sets, and whole conversations."""

import zlib
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from tests.pdus import (
    ABORT,
    CT_IMAGE_STORAGE,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    RELEASE_RQ,
    VERIFICATION,
    associate_rq,
    command,
    echo,
    pdu,
    pdv,
    store,
)

BIG_ENDIAN, JPEG = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.4.50"
UID = "2.25.11"


@dataclass(frozen=True)
class EncodedDataSet:
    """A data set as it goes over the network."""

    transfer_syntax_uid: str
    content: bytes


def data_sets() -> list[EncodedDataSet]:
    """Return one CT image in each kind of encoding, with nested sequences of both kinds and several alphabets."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    explicit = _encoded(_image("ISO_IR 192", "Wang^XiaoDong=王^小東"), implicit=False, little=True)
    return [
        EncodedDataSet(EXPLICIT, explicit),
        EncodedDataSet(EXPLICIT, _encoded(_image("ISO_IR 100", "Äneas"), implicit=False, little=True, undefined=True)),
        EncodedDataSet(IMPLICIT, _encoded(_image("ISO_IR 144", "Люк"), implicit=True, little=True, undefined=True)),
        EncodedDataSet(BIG_ENDIAN, _encoded(_image("ISO_IR 100", "Doe^Jane"), implicit=False, little=False)),
        EncodedDataSet(DEFLATED, deflater.compress(explicit) + deflater.flush()),
        EncodedDataSet(JPEG, _encoded(_compressed(), implicit=False, little=True)),
    ]


def conversations() -> list[bytes]:
    """Return what requestors say from the request to the release, or to an abort."""
    kinds = data_sets()
    contexts = [(2 * n + 1, CT_IMAGE_STORAGE, (one.transfer_syntax_uid,)) for n, one in enumerate(kinds)]
    request = associate_rq([*contexts, (101, VERIFICATION, (IMPLICIT, EXPLICIT))])
    stores = b"".join(store(UID, one.content, 2 * n + 1, fragment=300) for n, one in enumerate(kinds))
    other = pdu(4, pdv(1, 3, command(0x0020, CT_IMAGE_STORAGE))) + pdu(4, pdv(1, 2, b"identifier"))
    return [
        request + stores + RELEASE_RQ,
        request + echo(101) + store(UID, kinds[0].content) + RELEASE_RQ,
        associate_rq([(1, VERIFICATION, (IMPLICIT,))]) + echo() + RELEASE_RQ,
        request + other + store(UID, kinds[0].content, fragment=50)[:-60] + ABORT,
    ]


def conversation_with(data_set: bytes, transfer_syntax_uid: str, fragment: int) -> bytes:
    """Return a sound conversation about a data set that need not be."""
    request = associate_rq([(1, CT_IMAGE_STORAGE, (transfer_syntax_uid,))])
    return request + store(UID, data_set, fragment=fragment) + RELEASE_RQ


def _image(character_set: str, name: str) -> Dataset:
    image, request, code = Dataset(), Dataset(), Dataset()
    image.SpecificCharacterSet, image.PatientName = character_set, name
    image.SOPClassUID, image.SOPInstanceUID = CT_IMAGE_STORAGE, UID
    image.StudyInstanceUID, image.SeriesInstanceUID = "2.25.100", "2.25.200"
    image.Modality, image.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    code.CodeValue, code.CodeMeaning = "1", "Head"
    request.RequestedProcedurePriority, request.RequestedProcedureCodeSequence = "STAT", [code]
    image.RequestAttributesSequence, image.ReferencedStudySequence = [request], []
    image.SeriesNumber, image.InstanceNumber = 3, 7
    image.ImagePositionPatient, image.ImageOrientationPatient = [0, 0, 5], [1, 0, 0, 0, 1, 0]
    image.PixelSpacing, image.SliceThickness = [0.5, 0.5], 5
    image.Rows = image.Columns = 8
    image.BitsAllocated = 16
    image.add_new(0x00091001, "UN", b"private")
    image.PixelData = bytes(128)
    image["PixelData"].VR = "OW"
    return image


def _compressed() -> Dataset:
    image = _image("ISO_IR 100", "Doe^Jane")
    image.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x08\0\0\0\xff\xd8\xff\xd9\0\0\0\0"
    image["PixelData"].VR = "OB"
    image["PixelData"].is_undefined_length = True
    return image


def _encoded(data_set: Dataset, implicit: bool, little: bool, undefined: bool = False) -> bytes:
    for element in data_set.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = undefined
            for item in element.value:
                item.is_undefined_length_sequence_item = undefined
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = implicit, little
    write_dataset(stream, data_set)
    return stream.getvalue()
