"""What happens to each attribute: the standard's table, the options, and what the table does not name."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from pydicom.datadict import dictionary_has_tag, keyword_for_tag
from pydicom.tag import BaseTag

STANDARD = "PS3.15 Annex E"
"""Table E.1-1 stands in annex_e.csv. Tags and Basic Profile were first taken from the list that dicom-anonymizer 2.1.0
names 2026c; each row was then checked on 2026-11-23 against two renderings of the standard's own table, the newer of
September 2024 (619 of the 652 rows; the other 33 are only in the list). docs/decisions/0023 has the counts."""

DATE_VRS = frozenset(("DA", "DT", "TM"))
_KEPT_UIDS = frozenset(
    ("CodingSchemeUID", "ContextUID", "MappingResourceUID", "ContextGroupExtensionCreatorUID",
     "SOPClassesInStudy", "SOPClassesSupported", "PertinentSOPClassesInStudy", "PertinentSOPClassesInSeries")
)  # fmt: skip
_FREE_TEXT_VRS = frozenset(("LT", "ST", "UT", "UC"))
_KEPT_TEXTS = frozenset(("LongCodeValue", "RescaleType"))
_OVERLAYS, _CURVES = range(0x6000, 0x6100), range(0x5000, 0x5100)


class Option(StrEnum):
    """What may be kept on purpose. Source: PS3.15 E.3.4 to E.3.10."""

    DATES = "dates"
    DEVICE = "device"
    PATIENT = "patient"
    DESCRIPTORS = "descriptors"
    SAFE_PRIVATE = "safe-private"


class Action(StrEnum):
    """What happens to one attribute."""

    KEEP = "kept"
    REMOVE = "removed"
    EMPTY = "emptied"
    DUMMY = "replaced"
    MAP_UID = "uid mapped"
    SHIFT_DATE = "date shifted"
    CLEAN_TEXT = "text cleaned"
    NEW_IDENTITY = "pseudonym"


_BASIC = {
    "X": Action.REMOVE, "Z": Action.EMPTY, "D": Action.DUMMY, "U": Action.MAP_UID, "Z/D": Action.DUMMY,
    "X/Z": Action.EMPTY, "X/D": Action.DUMMY, "X/Z/D": Action.DUMMY, "X/Z/U*": Action.KEEP,
}  # fmt: skip
"""Where the table leaves the choice to the object's type, the one that keeps an object of any type valid; a sequence
of references (U*) stays, and the UIDs in it are mapped."""

_OPTION_LETTERS = {
    "I": (Option.DEVICE, Action.KEEP),
    "P": (Option.PATIENT, Action.KEEP),
    "T": (Option.DESCRIPTORS, Action.CLEAN_TEXT),
    "L": (Option.DATES, Action.SHIFT_DATE),
}
"""A letter stands only where the action fits: no keeping where the table says to clean (AE titles, allergies), and no
cleaning of what is not text. There the Basic Profile holds, which removes more."""
_PSEUDONYMS = frozenset(("PatientName", "PatientID"))


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of table E.1-1: the Basic Profile's action, and the letters of the options that change it."""

    action: str
    options: str
    name: str


@cache
def annex_e() -> Mapping[int, TableRow]:
    """Return the table by tag."""
    text = files("dicom_gateway.deidentification").joinpath("annex_e.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {int(row["tag"], 16): TableRow(row["action"], row["options"], row["name"]) for row in rows}


def action_for(tag: BaseTag, vr: str, options: frozenset[Option]) -> Action:
    """Return what happens to a standard attribute."""
    keyword = keyword_for_tag(tag)
    if keyword in _PSEUDONYMS:
        return Action.NEW_IDENTITY
    if tag.group in _OVERLAYS or tag.group in _CURVES:
        return Action.REMOVE
    row = annex_e().get(int(tag))
    if row is None:
        return _unlisted(tag, keyword, vr, options)
    for letter in row.options:
        option, action = _OPTION_LETTERS[letter]
        if option in options:
            # A Device UID is device identity, but still a UID: it is mapped, which keeps devices apart all the same.
            return Action.MAP_UID if vr == "UI" else action
    return _BASIC[row.action]


def _unlisted(tag: BaseTag, keyword: str, vr: str, options: frozenset[Option]) -> Action:
    """Return what happens to an attribute that the table does not name: by its kind, to the safe side."""
    if not dictionary_has_tag(tag) or vr == "UN":
        return Action.REMOVE
    if vr == "UI":
        is_class = keyword.endswith(("ClassUID", "TransferSyntaxUID")) or keyword in _KEPT_UIDS
        return Action.KEEP if is_class else Action.MAP_UID
    if vr in DATE_VRS:
        return Action.SHIFT_DATE if Option.DATES in options else Action.REMOVE
    if vr in ("PN", "AE", "UR"):
        return Action.REMOVE
    if vr in _FREE_TEXT_VRS:
        return Action.KEEP if keyword in _KEPT_TEXTS else Action.REMOVE
    return Action.KEEP
