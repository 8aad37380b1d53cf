"""The UIDs of result objects: derived, never drawn, so that a retry or a crash never makes a second object."""

import hashlib
from uuid import UUID

from triage.findings import Code
from triage.identifiers import SeriesInstanceUid, SopInstanceUid
from triage.ports import RecordedAnalysis


def report_uid(recorded: RecordedAnalysis, kind: str) -> SopInstanceUid:
    """Return the SOP Instance UID of the object of `kind` ("sr", "seg", "sc") that reports `recorded`.

    The same study, images, model and kind give the same UID, whenever and wherever it is asked for.
    """
    return SopInstanceUid(_derived("instance", kind, *_identity(recorded)))


def series_uid(recorded: RecordedAnalysis, kind: str) -> SeriesInstanceUid:
    """Return the Series Instance UID of the series that holds the objects of `kind`, and only them."""
    return SeriesInstanceUid(_derived("series", kind, *_identity(recorded)))


def tracking_uid(recorded: RecordedAnalysis, finding: Code, number: int) -> str:
    """Return the Tracking Unique Identifier (112040, DCM) of the `number`-th region of `finding`, counted from 1."""
    return _derived("tracking", finding.scheme, finding.value, str(number), *_identity(recorded))


def derived_item_uid(recorded: RecordedAnalysis, what: str, number: int) -> str:
    """Return the UID of a part of an object that is no instance of its own, for example its dimensions."""
    return _derived("item", what, str(number), *_identity(recorded))


def device_uid(software_version: str) -> str:
    """Return the Device Observer UID (121012, DCM) of Acuity in this version."""
    return _derived("device", "Acuity", software_version)


def _identity(recorded: RecordedAnalysis) -> tuple[str, str, str]:
    return recorded.study_instance_uid, recorded.input_digest, recorded.analysis.model.digest


def _derived(*parts: str) -> str:
    """Return `2.25.` and the decimal form of a UUID that is the SHA-256 of `parts`. Source: PS3.5 B.2."""
    # Each part carries its length, so that moving a character from one part to the next gives another UID.
    digest = hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).digest()
    return f"2.25.{UUID(bytes=digest[:16], version=5).int}"
