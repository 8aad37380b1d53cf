"""The statuses that the receiver answers with, and what each one promises.

Source: PS3.4 tables B.2-1, C.4-1 to C.4-3, F.7.2-2; PS3.7 annex C.
"""

from enum import IntEnum

from triage.errors import RetriableError, UnreadableInstance


class StoreStatus(IntEnum):
    """What the sender is told; only SUCCESS means that it may forget the instance."""

    SUCCESS = 0x0000
    NOT_AUTHORISED = 0x0124
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_DOES_NOT_MATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000
    PROCESSING_FAILURE = 0x0110


class ServiceStatus(IntEnum):
    """What a peer is told that asked for something else than to store."""

    DONE = 0x0000
    INVALID_ATTRIBUTE_VALUE = 0x0106
    PROCESSING_FAILED = 0x0110
    DUPLICATE_INSTANCE = 0x0111
    NO_SUCH_INSTANCE = 0x0112
    NO_SUCH_ACTION = 0x0123
    NOT_ALLOWED = 0x0124
    UNRECOGNISED = 0x0211
    RESOURCE_LIMITATION = 0x0213
    QUERY_OUT_OF_RESOURCES = 0xA700
    SUBOPERATIONS_FAILED = 0xA702
    MOVE_DESTINATION_UNKNOWN = 0xA801
    IDENTIFIER_DOES_NOT_MATCH = 0xA900
    SOME_FAILED = 0xB000
    UNABLE_TO_PROCESS = 0xC001
    CANCELLED = 0xFE00
    PENDING = 0xFF00


def failure_status(command_field: int, error: Exception) -> ServiceStatus:
    """Return what a request is answered with that could not be served: those of DIMSE-N are numbered from 0100H."""
    is_normalised = command_field >= 0x0100
    if isinstance(error, RetriableError):
        return ServiceStatus.RESOURCE_LIMITATION if is_normalised else ServiceStatus.QUERY_OUT_OF_RESOURCES
    if isinstance(error, UnreadableInstance):
        return ServiceStatus.INVALID_ATTRIBUTE_VALUE if is_normalised else ServiceStatus.IDENTIFIER_DOES_NOT_MATCH
    return ServiceStatus.PROCESSING_FAILED if is_normalised else ServiceStatus.UNABLE_TO_PROCESS
