"""The tables of the conformance statement are what the code does."""

import re

import pytest

from dicom_gateway.deidentification import images
from dicom_gateway.deidentification.profile import Option
from dicom_gateway.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_gateway.originals import MOST_CONTEXTS
from dicom_gateway.receiver import ReceiverSettings
from dicom_gateway.sender import Answer, SenderLimits, answer_of
from dicom_gateway.upper_layer import association
from dicom_gateway.upper_layer.commands import LONGEST_COMMAND_SET
from dicom_gateway.upper_layer.pdus import LONGEST_ASSOCIATE_PDU, AbortReason
from tests.architecture.source_tree import ROOT
from tests.architecture.test_documents import table_under

PAGE = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
MEANINGS = {
    Answer.CONFIRMED: "confirmed", Answer.WARNING: "confirmed with a warning", Answer.REFUSED: "refused for good",
    Answer.TRY_LATER: "tried again",
}  # fmt: skip


def test_the_rejections_are_those_of_the_receiver():
    stated = {tuple(int(cell[:2], 16) for cell in row[:3]) for row in table_under("## Association rejections", PAGE)}

    coded = {value for name, value in vars(association).items() if name.startswith("_") and isinstance(value, tuple)}
    assert stated == coded


def test_the_abort_reasons_are_those_of_the_upper_layer():
    stated = {int(found) for found in re.findall(r"^\| (?:sends|lets)[^|]*\| (\d), ", PAGE, flags=re.MULTILINE)}

    assert stated == set(AbortReason) - {AbortReason.NOT_SPECIFIED}


def sender_rows() -> list[tuple[str, str]]:
    text = PAGE.split("| answer of the destination |", 1)[1].split("\n\n", 1)[0]
    return [(row.split("|")[1].strip(), row.split("|")[2].strip()) for row in text.splitlines()[2:]]


def test_every_c_store_status_means_what_the_sender_s_table_says():
    stated: dict[int, str] = {}
    rest = ""
    for codes, meaning in sender_rows():
        for whole in re.findall(r"\b([0-9A-F]{4})H", codes):
            stated[int(whole, 16)] = meaning
        for prefix in re.findall(r"\b([0-9A-F]{1,2})x{2,3}\b", codes):
            low = int(prefix.ljust(4, "0"), 16)
            width = 16 ** (4 - len(prefix))
            for status in range(low, low + width):
                stated.setdefault(status, meaning)
        if "every other status" in codes:
            rest = meaning

    wrong = [f"{one:04X}H" for one in range(0x10000) if not stated.get(one, rest).startswith(MEANINGS[answer_of(one)])]
    assert rest
    assert wrong == []


@pytest.mark.parametrize(
    "text",
    [
        f"{ReceiverSettings().longest_data_pdu} bytes", f"A-ASSOCIATE-RQ: {LONGEST_ASSOCIATE_PDU} bytes",
        f"Command set: {LONGEST_COMMAND_SET} bytes", f"{association.SLOWEST_BYTES_PER_S:,} bytes a second",
        IMPLEMENTATION_CLASS_UID, f"`{IMPLEMENTATION_VERSION_NAME}`", f"more than {MOST_CONTEXTS} presentation",
        f"{SenderLimits().connect_s:.0f} s\nto connect", f"{SenderLimits().association_s:.0f} s to negotiate",
        f"{SenderLimits().answer_s:.0f} s for the answer", f"{SenderLimits().silence_s:.0f} s of silence",
    ],
)  # fmt: skip
def test_lengths_times_and_names_are_those_of_the_code(text):
    assert text in PAGE


def test_the_options_of_de_identification_are_those_of_the_code():
    section = PAGE.split("De-identification options", 1)[1]
    rows = [
        [cell.strip(" `") for cell in line.split("|")[1:4]] for line in section.splitlines() if line.startswith("|")
    ]
    stated = {(row[1], row[0]): row[2] for row in rows[2:9]}

    coded = {value: option.value if option else "" for option, value in images._METHODS.items()}
    assert stated == coded | {images._CLEAN_PIXELS: ""}
    assert {one.value for one in Option} == set(stated.values()) - {""}
