"""Attributes of a DICOM header, without what pydicom does for those who want to change them and write them again."""

from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset


def attribute(dataset: Dataset, keyword: str, absent: Any = None) -> Any:
    """Return what `dataset.get(keyword, absent)` gives, in a fifth of its time where the value is a plain one.

    Numbers are int and float, texts str, several numbers a list; a value that is not plain comes as pydicom has it.
    """
    tag = tag_for_keyword(keyword)
    element = None if tag is None else dataset.get_item(tag)
    if element is None:
        return absent
    if isinstance(element, RawDataElement) and element.value:
        try:
            found = _plain(element)
        except ValueError:
            found = None
        if found is not None:
            return found
    return dataset.get(keyword, absent)


def _plain(element: RawDataElement) -> int | float | str | list[float] | None:
    """Return a value of a common kind, None where it is of another; raises ValueError where it is not well formed."""
    vr, value = element.VR, element.value or b""
    if vr == "US" and len(value) == 2:
        return int.from_bytes(value, "little" if element.is_little_endian else "big")
    if vr == "DS":
        numbers = [float(one) for one in value.split(b"\\")]
        return numbers if len(numbers) > 1 else numbers[0]
    if vr == "IS":
        return int(value)
    if vr in ("CS", "UI") and b"\\" not in value:
        return value.decode("ascii").rstrip("\0 ")
    return None
