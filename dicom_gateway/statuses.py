"""The C-STORE statuses that the receiver answers with, and what each one promises.

Source: PS3.4 table B.2-1, PS3.7 annex C.
"""

from enum import IntEnum


class StoreStatus(IntEnum):
    """What the sender is told; only SUCCESS means that it may forget the instance."""

    SUCCESS = 0x0000
    NOT_AUTHORISED = 0x0124
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_DOES_NOT_MATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000
    PROCESSING_FAILURE = 0x0110
