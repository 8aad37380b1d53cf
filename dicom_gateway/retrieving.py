"""C-GET as the asker, C-MOVE where it is not offered: single instances of a study that a source holds.

Source: PS3.4 C.4.2 and C.4.3 (IMAGE level, list of UID matching), study root model.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import groupby

from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from pynetdicom import evt
from pynetdicom.dimse_primitives import C_STORE

from dicom_gateway.asking import PENDING, RemoteInstance, contexts_for
from dicom_gateway.file_meta import Claim
from dicom_gateway.querying import STUDY_ROOT_GET, STUDY_ROOT_MOVE
from dicom_gateway.sender import Context, Destination, DicomSender
from dicom_gateway.statuses import ServiceStatus
from dicom_gateway.storing import IncomingInstance, Session, Storing
from triage.errors import DestinationRefused, DestinationUnavailable

MOST_SECONDS = 120.0
"""For one study; what has not come by then is left to the source."""

_SYNTAXES = (
    JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, JPEG2000, JPEGBaseline8Bit, JPEGExtended12Bit, RLELossless,
    ExplicitVRLittleEndian, ImplicitVRLittleEndian,
)  # fmt: skip
"""Each in a presentation context of its own, so that the source may send every instance as it holds it."""

_MOST_CLASSES = 12
_MOST_UIDS = 500
"""In one identifier: the length of a UI element has 16 bits, PS3.5 table 7.1-2."""


def retrieve(
    sender: DicomSender, source: Destination, study_uid: str, wanted: Sequence[RemoteInstance], store: Storing
) -> None:
    """Return when the source has sent the instances; those that came by C-GET are stored as those of any sender.

    Raises:
        DestinationUnavailable: no association, no answer in time, or not everything was sent.
        DestinationRefused: the source does not know us, or does not know where to move to.
    """
    until = time.monotonic() + MOST_SECONDS
    classes = tuple(dict.fromkeys(one.sop_class_uid for one in wanted))
    if all(classes) and len(classes) <= _MOST_CLASSES and _get(sender, source, (study_uid, wanted), store, until):
        return
    with sender.association(source, contexts_for(STUDY_ROOT_MOVE)) as association:
        for identifier in _identifiers(study_uid, wanted):
            answers = association.send_c_move(identifier, sender.calling_ae_title, STUDY_ROOT_MOVE)
            _await(source, "C-MOVE", answers, until)


def _get(
    sender: DicomSender,
    source: Destination,
    asked: tuple[str, Sequence[RemoteInstance]],
    store: Storing,
    until: float,
) -> bool:
    """Return False where the source does not offer C-GET."""
    study_uid, wanted = asked
    classes = tuple(dict.fromkeys(one.sop_class_uid for one in wanted))
    storage: list[Context] = [(name, (syntax,)) for name in classes for syntax in _SYNTAXES]
    session = store.session()
    session.accepted(source.ae_title, source.host)
    handlers = [(evt.EVT_C_STORE, lambda event: _store(event, session, study_uid))]
    outcome = "aborted"
    try:
        with sender.association(source, [*contexts_for(STUDY_ROOT_GET), *storage], classes, handlers) as association:
            if not any(one.abstract_syntax == STUDY_ROOT_GET for one in association.accepted_contexts):
                return False
            for identifier in _identifiers(study_uid, wanted):
                _await(source, "C-GET", association.send_c_get(identifier, STUDY_ROOT_GET), until)
            outcome = "released"
    finally:
        session.closed(outcome)
    return True


def _store(event: evt.Event, session: Session, study_uid: str) -> int:
    request, syntax = event.request, str(event.context.transfer_syntax)
    assert isinstance(request, C_STORE)
    assert request.DataSet is not None
    claim = Claim(str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID), syntax, study_uid)
    incoming = IncomingInstance(session, claim)
    incoming.write(memoryview(request.DataSet.getvalue()))
    return incoming.finish()


def _identifiers(study_uid: str, wanted: Sequence[RemoteInstance]) -> Iterator[Dataset]:
    ordered = sorted(wanted, key=lambda one: one.series_instance_uid)
    for series_uid, group in groupby(ordered, key=lambda one: one.series_instance_uid):
        uids = [one.sop_instance_uid for one in group]
        for start in range(0, len(uids), _MOST_UIDS):
            identifier = Dataset()
            identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "IMAGE", study_uid
            identifier.SeriesInstanceUID, identifier.SOPInstanceUID = series_uid, uids[start : start + _MOST_UIDS]
            yield identifier


def _await(source: Destination, what: str, answers: Iterator[tuple[Dataset, Dataset | None]], until: float) -> None:
    number = None
    for status, _ in answers:
        number = status.get("Status")
        if number in PENDING and time.monotonic() > until:
            raise DestinationUnavailable(f"{source.name}: {what} took longer than {MOST_SECONDS:.0f} s")
    if number == ServiceStatus.MOVE_DESTINATION_UNKNOWN:
        raise DestinationRefused(f"{source.name}: does not know where to move to")
    if number != ServiceStatus.DONE:
        said = "nothing" if number is None else f"{number:04X}H"
        raise DestinationUnavailable(f"{source.name}: {what} answered {said}, 0000H needed")
