"""Storage commitment: for which instances a keeper takes responsibility, and why not for the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum


class FailureReason(IntEnum):
    """Failure Reason (0008,1197). Source: PS3.3 C.14.1.1."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119


@dataclass(frozen=True, slots=True)
class Reference:
    """One instance, as a request names it."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Commitment:
    """The answer to one request: each reference is in one of both; `failed` has the reason as a number."""

    transaction_uid: str
    committed: tuple[Reference, ...]
    failed: tuple[tuple[Reference, int], ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of an instance; `is_sound` where its bytes are on disk as they were received."""

    sop_class_uid: str
    is_sound: bool


def commit(transaction_uid: str, references: Sequence[Reference], kept: Mapping[str, Kept]) -> Commitment:
    """Return what may be committed of `references`, given what is kept by SOP Instance UID."""
    reasons = {one: _reason(one, kept.get(one.sop_instance_uid)) for one in references}
    return Commitment(
        transaction_uid,
        tuple(one for one, reason in reasons.items() if reason is None),
        tuple((one, int(reason)) for one, reason in reasons.items() if reason is not None),
    )


def _reason(reference: Reference, kept: Kept | None) -> FailureReason | None:
    if kept is None:
        return FailureReason.NO_SUCH_OBJECT_INSTANCE
    if kept.sop_class_uid != reference.sop_class_uid:
        return FailureReason.CLASS_INSTANCE_CONFLICT
    return None if kept.is_sound else FailureReason.PROCESSING_FAILURE
