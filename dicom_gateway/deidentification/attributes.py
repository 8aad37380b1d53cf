"""Cleans the attributes of one data set, at every depth, and says what it did with each."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from dicom_gateway.deidentification.identities import Identities, shifted
from dicom_gateway.deidentification.profile import Action, Option, action_for

_DUMMIES: Mapping[str, str] = {
    "DA": "19000101", "TM": "000000", "DT": "19000101000000", "AS": "000Y", "DS": "0", "IS": "0", "CS": "REMOVED",
    "AE": "REMOVED", "UR": "about:blank",
}  # fmt: skip
_TEXT_VRS = frozenset(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))
_NUMBERS_AND_BYTES = frozenset(
    ("OB", "OD", "OF", "OL", "OV", "OW", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "AT")
)
_IDENTIFIERS = frozenset(
    ("PatientID", "OtherPatientIDs", "AccessionNumber", "AdmissionID", "MedicalRecordLocator", "PatientAddress",
     "PatientTelephoneNumbers", "InstitutionName", "InstitutionAddress", "RequestedProcedureID", "MilitaryRank")
)  # fmt: skip
_SHORTEST_NAME, _SHORTEST_IDENTIFIER = 3, 4


@dataclass(frozen=True, slots=True)
class Traces:
    """What an image says of a person: words of names, and identifiers; nothing of it may be found afterwards."""

    names: frozenset[str]
    identifiers: frozenset[str]

    def are_in(self, text: str) -> bool:
        """Return whether any of it stands in `text`: names as words, identifiers anywhere."""
        lower = text.lower()
        words = set(re.findall(r"[^\W_]+", lower))
        return bool(words & self.names) or any(one in lower for one in self.identifiers)


def traces_of(image: Dataset) -> Traces:
    """Return names and identifiers that stand anywhere in `image`."""
    names: set[str] = set()
    identifiers: set[str] = set()
    for element in _every(image):
        values = [str(value) for value in _values(element)]
        if element.VR == "PN":
            for value in values:
                names |= {word for word in re.findall(r"[^\W_]+", value.lower()) if len(word) >= _SHORTEST_NAME}
        elif keyword_for_tag(element.tag) in _IDENTIFIERS:
            identifiers |= {value.lower() for value in values if len(value) >= _SHORTEST_IDENTIFIER}
    return Traces(frozenset(names), frozenset(identifiers))


@dataclass(frozen=True, slots=True)
class Cleaning:
    """How one patient's images are cleaned; `done` counts (tag, action) over all of them."""

    identities: Identities
    options: frozenset[Option]
    patient_id: str
    issuer: str
    traces: Traces
    done: Counter[tuple[int, str]] = field(default_factory=Counter)

    def clean(self, data_set: Dataset) -> None:
        """Leave nothing in `data_set` that the profile and the options do not allow."""
        for tag in list(data_set.keys()):
            element = data_set[tag]
            if tag.group % 2:
                self._private(data_set, element)
            else:
                self._standard(data_set, element)

    def _private(self, data_set: Dataset, element: DataElement) -> None:
        tag = element.tag
        if tag.is_private_creator:
            allowed = {number for creator, group, number in _safe_private() if
                       (creator, group) == (str(element.value).strip(), tag.group)}  # fmt: skip
            kept = {Tag(tag.group, (tag.element << 8) | number) for number in allowed}
            if Option.SAFE_PRIVATE in self.options and any(one in data_set for one in kept):
                return
        elif Option.SAFE_PRIVATE in self.options and element.VR != "SQ":
            creator = str(data_set.get(Tag(tag.group, tag.element >> 8), DataElement(tag, "LO", "")).value).strip()
            if (creator, tag.group, tag.element & 0xFF) in _safe_private() and not self._betrays(element):
                self._note(tag, Action.KEEP)
                return
        self._note(tag, Action.REMOVE)
        del data_set[tag]

    def _standard(self, data_set: Dataset, element: DataElement) -> None:
        tag = element.tag
        action = action_for(tag, element.VR, self.options)
        if element.VR == "SQ" and action in (Action.KEEP, Action.CLEAN_TEXT):
            for item in element.value:
                self.clean(item)
            return
        if action is Action.KEEP:
            if not self._betrays(element):
                return
            action = Action.EMPTY
        self._note(tag, action)
        if action is Action.REMOVE:
            del data_set[tag]
        else:
            self._replace(element, action)

    def _replace(self, element: DataElement, action: Action) -> None:
        if action is Action.MAP_UID:
            element.value = self._mapped(element)
        elif action is Action.NEW_IDENTITY:
            element.value = self.identities.patient(self.patient_id, self.issuer)
        elif action is Action.SHIFT_DATE:
            days = self.identities.days_back(self.patient_id, self.issuer)
            element.value = [shifted(str(value), element.VR, days) for value in _values(element)] or ""
        elif action is Action.CLEAN_TEXT:
            element.value = self._cleaned(element) or self._dummy_if_required(element)
        elif action is Action.EMPTY or element.VR == "SQ":
            element.value = [] if element.VR == "SQ" else None
        elif element.VR == "UI":
            element.value = self._mapped(element)
        elif element.VR in _NUMBERS_AND_BYTES:
            element.value = None
        else:
            element.value = _DUMMIES.get(element.VR, "REMOVED")

    def _mapped(self, element: DataElement) -> list[str]:
        # A UID of the standard itself, such as a well-known frame of reference, identifies nobody.
        return [
            str(uid) if str(uid).startswith("1.2.840.10008.") else self.identities.uid(str(uid))
            for uid in _values(element)
        ]

    def _cleaned(self, element: DataElement) -> str:
        words = re.findall(r"[^\W_]+", " ".join(map(str, _values(element))).lower())
        names = self.traces.names | self.traces.identifiers
        kept = [one for one in words if one not in names and (one in _plain_words() or _is_small_number(one))]
        return " ".join(kept).upper()[: 16 if element.VR == "SH" else 64]

    def _dummy_if_required(self, element: DataElement) -> str:
        """Return what stands for a text of which nothing was left, where an object needs one to be valid."""
        return "REMOVED" if action_for(element.tag, element.VR, frozenset()) is Action.DUMMY else ""

    def _betrays(self, element: DataElement) -> bool:
        if element.VR not in _TEXT_VRS and element.VR != "UN":
            return False
        return any(self.traces.are_in(str(value)) for value in _values(element))

    def _note(self, tag: BaseTag, action: Action) -> None:
        self.done[int(tag), action.value] += 1


def _values(element: DataElement) -> list[object]:
    if element.value is None or element.value == "" or element.VR == "SQ":
        return []
    if isinstance(element.value, bytes):
        return [element.value.decode("latin-1")]
    return list(element.value) if element.VM > 1 else [element.value]


def _every(data_set: Dataset) -> Iterator[DataElement]:
    for element in data_set:
        yield element
        if element.VR == "SQ":
            for item in element.value:
                yield from _every(item)


def _is_small_number(word: str) -> bool:
    """Return whether a word is a number as in "5 mm": no date and no record number is that short."""
    return word.isdigit() and len(word) <= 2


@cache
def _plain_words() -> frozenset[str]:
    text = files("dicom_gateway.deidentification").joinpath("words.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


@cache
def _safe_private() -> frozenset[tuple[str, int, int]]:
    text = files("dicom_gateway.deidentification").joinpath("private.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return frozenset((row["creator"], int(row["group"], 16), int(row["element"], 16)) for row in rows)
