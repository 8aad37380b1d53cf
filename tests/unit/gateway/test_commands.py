"""Command sets are read and answered as PS3.7 writes them; what pynetdicom reads is the proof."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.filereader import read_dataset
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from dicom_gateway.upper_layer.commands import read_request, response
from dicom_gateway.upper_layer.pdus import AbortReason, ProtocolViolation
from tests.pdus import CT_IMAGE_STORAGE, command, element


def pynetdicoms_request() -> bytes:
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = 77, 2
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = CT_IMAGE_STORAGE, "1.2.3"
    primitive.MoveOriginatorApplicationEntityTitle, primitive.MoveOriginatorMessageID = "MOVER", 3
    primitive.DataSet = BytesIO(b"x")
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    encoded = encode(message.command_set, True, True)
    assert encoded is not None
    return encoded


def test_a_request_that_pynetdicom_wrote_is_read():
    request = read_request(pynetdicoms_request())

    assert (request.field, request.has_data_set) == (0x0001, True)
    assert (request.sop_class_uid, request.sop_instance_uid) == (CT_IMAGE_STORAGE, "1.2.3")


def test_the_response_says_what_it_answers_and_how():
    answer = read_dataset(BytesIO(response(read_request(pynetdicoms_request()), 0xA700)), True, True)

    assert (answer.CommandField, answer.MessageIDBeingRespondedTo, answer.Status) == (0x8001, 77, 0xA700)
    assert (answer.AffectedSOPClassUID, answer.AffectedSOPInstanceUID) == (CT_IMAGE_STORAGE, "1.2.3")
    assert answer.CommandDataSetType == 0x0101
    assert answer.CommandGroupLength == len(response(read_request(pynetdicoms_request()), 0xA700)) - 12


@pytest.mark.parametrize(
    "command_set",
    [
        b"",
        command(0x0001, CT_IMAGE_STORAGE)[:-1],
        command(0x0001, CT_IMAGE_STORAGE) + b"\0\0\0",
        command(0x8001, CT_IMAGE_STORAGE),
        command(0x0001, CT_IMAGE_STORAGE) + b"\x08\0\0\0\0\0\0\0",
        element(0x0100, b"\1\0") + element(0x0800, b"\1\1"),
        element(0x0100, b"\1") + element(0x0110, b"\1\0") + element(0x0800, b"\1\1"),
    ],
    ids=["empty", "cut", "tail", "response", "other group", "no message ID", "short field"],
)
def test_what_is_no_request_is_a_violation(command_set):
    with pytest.raises(ProtocolViolation) as caught:
        read_request(command_set)

    assert caught.value.reason is AbortReason.INVALID_PARAMETER


def test_a_hostile_uid_becomes_text_that_may_be_kept():
    request = read_request(command(0x0001, CT_IMAGE_STORAGE, "1.2\0\x1b[2J/../" + "9" * 100))

    assert len(request.sop_instance_uid) == 64
    assert request.sop_instance_uid.startswith("1.2??[2J/../9")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_a_violation(command_set):
    try:
        read_request(command_set)
    except ProtocolViolation:
        return
    assert command_set[:2] == b"\0\0"
