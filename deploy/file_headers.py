"""The header of a DICOM file as the gateway reads it, for data sets of DICOM files."""

from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info

from dicom_gateway.headers import read_instance
from triage.errors import UnreadableInstance
from triage.study import InstanceHeader

PREAMBLE_BYTES = 132
GROUP_LENGTH_BYTES = 12
"""Before the file meta group: 128 bytes and "DICM"; its first element, the length of the others. Source: PS3.10 7.1."""


def header_of_file(path: Path) -> InstanceHeader:
    """Return the header of a DICOM file, read from the bytes of its data set as the gateway reads them.

    Raises:
        UnreadableInstance: the file has no file meta group, or its data set does not parse.
    """
    try:
        meta = read_file_meta_info(path)
        start = PREAMBLE_BYTES + GROUP_LENGTH_BYTES + int(meta.FileMetaInformationGroupLength)
        syntax = str(meta.TransferSyntaxUID)
    except (InvalidDicomError, AttributeError, EOFError, ValueError) as error:
        raise UnreadableInstance(f"{path.name}: no file meta group, needed a DICOM file") from error
    return read_instance(path.read_bytes()[start:], syntax)
