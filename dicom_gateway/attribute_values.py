"""The attributes of a stored instance as plain text by tag, as routing rules compare them."""

import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue

from triage.errors import UnreadableInstance

LONGEST_TEXT = 1024
_FUNCTIONAL_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_GEOMETRY = (
    ("PixelMeasuresSequence", "SliceThickness"),
    ("PlaneOrientationSequence", "ImageOrientationPatient"),
)
PARSING_FAILURES = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom raises for damaged data; it documents no single class."""


def attribute_values(path: Path) -> Mapping[str, tuple[str, ...]]:
    """Return the top-level attributes in front of the pixels by tag, eight upper-case hexadecimal digits.

    An attribute without a value is left out; a sequence or binary one has no values. Slice thickness and orientation
    of a multi-frame object are those of its first frame.

    Raises:
        UnreadableInstance: the file is missing, or no DICOM file.
    """
    try:
        with warnings.catch_warnings():
            # What breaks the rules of its VR is compared as it is.
            warnings.simplefilter("ignore")
            dataset = dcmread(path, stop_before_pixels=True)
            values = dict(_values(dataset))
            return {**_geometry(dataset), **values}
    except PARSING_FAILURES as error:
        raise UnreadableInstance(f"{path.name}: {type(error).__name__} on reading its header") from error


def _values(dataset: Dataset) -> Iterator[tuple[str, tuple[str, ...]]]:
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
        except PARSING_FAILURES:
            # One odd attribute must not hide the others; a rule finds it absent.
            continue
        if not element.is_empty:
            yield f"{tag:08X}", _texts(element)


def _texts(element: DataElement) -> tuple[str, ...]:
    value: Any = element.value
    if element.VR == "SQ" or isinstance(value, bytes):
        return ()
    values = value if isinstance(value, MultiValue | list) else [value]
    return tuple(str(one)[:LONGEST_TEXT] for one in values)


def _geometry(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    groups = [dataset[name].value[0] for name in _FUNCTIONAL_GROUPS if dataset.get(name)]
    for sequence, keyword in _GEOMETRY:
        for group in groups:
            if group.get(sequence) and keyword in group[sequence].value[0]:
                element = group[sequence].value[0][keyword]
                found.setdefault(f"{element.tag:08X}", _texts(element))
    return found
