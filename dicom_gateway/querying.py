"""Query/Retrieve, study root: what is here is found by C-FIND, and sent by C-GET and C-MOVE.

Source: PS3.4 annex C; status codes in tables C.4-1 to C.4-3.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Protocol

import structlog
from pydicom import DataElement, Dataset, config, dcmread
from pydicom.datadict import dictionary_VR
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import _config
from pynetdicom.dsutils import encode

from dicom_gateway.peers import Peer, PeerList
from dicom_gateway.sender import Answer, Destination, DicomSender, answer_of
from dicom_gateway.statuses import ServiceStatus
from dicom_gateway.upper_layer.commands import CommandField, SubOperations
from dicom_gateway.upper_layer.exchange import Exchange
from triage.audit import Actor, AuditAction, AuditEvent
from triage.errors import DestinationRefused, DestinationUnavailable, UnreadableInstance
from triage.identifiers import StudyInstanceUid
from triage.ports import Clock

log = structlog.get_logger(__name__)

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"

PEER = "peer"
"""The role of a system that asks by DICOM, in the audit chain; its name is its AE title."""

MOST_ANSWERS = 5000
"""Matches of one C-FIND; more is out of resources, as nobody looks through them."""

MOST_CONTEXTS = 120
"""Pairs of SOP class and transfer syntax on one association; PS3.8 9.3.2.2 has room for 128."""

_UNIQUE_KEYS: Mapping[str, tuple[str, ...]] = {
    "STUDY": ("StudyInstanceUID",),
    "SERIES": ("StudyInstanceUID", "SeriesInstanceUID"),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
}
_UNCOMPRESSED = (str(ImplicitVRLittleEndian), str(ExplicitVRLittleEndian))
_META_LENGTH_ENDS = 144


class HeldInstance(Protocol):
    """One instance that may be sent."""

    @property
    def sop_instance_uid(self) -> str: ...
    @property
    def sop_class_uid(self) -> str: ...
    @property
    def transfer_syntax_uid(self) -> str: ...
    @property
    def path(self) -> str: ...


class Catalogue(Protocol):
    """What is here; raises StoreUnavailable."""

    def find(self, level: str, wanted: Mapping[str, str], limit: int) -> Sequence[Mapping[str, object]]:
        """Return the attributes of each match by keyword, at most `limit`."""

    def held(self, uids: Mapping[str, Sequence[str]]) -> Sequence[HeldInstance]:
        """Return the instances with one of the UIDs under each keyword."""


@dataclass(frozen=True, slots=True)
class QueryService:
    """Answers C-FIND, C-GET and C-MOVE of the peers that may query."""

    peers: PeerList
    catalogue: Catalogue
    sender: DicomSender
    clock: Clock
    note: Callable[[AuditEvent], None]

    def serve(self, exchange: Exchange) -> None:
        """Answer with every match, or send every instance, and then with the final status.

        Who asked, and for how much, is in the audit chain before anything leaves.
        """
        ae_title, host = exchange.caller
        peer = self.peers.find(ae_title, host)
        if peer is None or not peer.may_query:
            log.warning("query_refused", ae_title=ae_title, host=host)
            self._note(exchange, AuditAction.ACCESS_REFUSED, "", {}, succeeded=False)
            exchange.respond(ServiceStatus.NOT_ALLOWED)
        elif exchange.request.field == CommandField.C_FIND_RQ:
            self._find(exchange)
        elif exchange.request.field == CommandField.C_GET_RQ:
            _Retrieval(exchange, self._held(exchange, exchange.caller[0])).get()
        elif exchange.request.field == CommandField.C_MOVE_RQ:
            self._move(exchange)
        else:
            exchange.respond(ServiceStatus.UNRECOGNISED)

    def _find(self, exchange: Exchange) -> None:
        identifier = exchange.data_set()
        level = _level(identifier)
        wanted = {one.keyword: _text(one) for one in identifier if one.VR != "SQ"}
        if missing := [key for key in _UNIQUE_KEYS[level][:-1] if not wanted.get(key)]:
            raise UnreadableInstance(f"{level} level: {missing[0]} is needed")
        found = self.catalogue.find(level, wanted, MOST_ANSWERS + 1)
        if len(found) > MOST_ANSWERS:
            exchange.respond(ServiceStatus.QUERY_OUT_OF_RESOURCES)
            return
        details = {"level": level, "matches": str(len(found))}
        self._note(exchange, AuditAction.QUERY_ANSWERED, wanted.get("StudyInstanceUID", ""), details)
        for match in found:
            if exchange.look_for_cancel():
                exchange.respond(ServiceStatus.CANCELLED)
                return
            exchange.respond(ServiceStatus.PENDING, _answer(identifier, level, match, self.sender.calling_ae_title))
        exchange.respond(ServiceStatus.DONE)

    def _move(self, exchange: Exchange) -> None:
        title = exchange.request.move_destination
        to = next((one for one in self.sender.destinations if one.ae_title == title), None) or self.peers.listening(
            title
        )
        if to is None:
            exchange.respond(ServiceStatus.MOVE_DESTINATION_UNKNOWN)
            return
        _Retrieval(exchange, self._held(exchange, to.ae_title)).move(self.sender, to)

    def _held(self, exchange: Exchange, to: str) -> Sequence[HeldInstance]:
        identifier = exchange.data_set()
        level = _level(identifier)
        given = {key: _text(identifier[key]) for key in _UNIQUE_KEYS[level] if key in identifier}
        uids = {key: value.split("\\") for key, value in given.items() if value}
        if _UNIQUE_KEYS[level][-1] not in uids:
            raise UnreadableInstance(f"{level} level: {_UNIQUE_KEYS[level][-1]} is needed")
        held = self.catalogue.held(uids)
        details = {"level": level, "instances": str(len(held)), "to": to}
        self._note(exchange, AuditAction.IMAGES_RETRIEVED, given.get("StudyInstanceUID", ""), details)
        return held

    def _note(
        self, exchange: Exchange, action: AuditAction, study: str, details: Mapping[str, str], succeeded: bool = True
    ) -> None:
        ae_title, host = exchange.caller
        about = StudyInstanceUid(study) if re.fullmatch(r"[0-9.]{1,64}", study) else None
        told = dict(details) | {"host": host}
        self.note(AuditEvent(self.clock.now(), Actor(ae_title, PEER), action, succeeded, about, told))


class _Retrieval:
    """The C-STOREs of one C-GET or C-MOVE, counted."""

    def __init__(self, exchange: Exchange, wanted: Sequence[HeldInstance]) -> None:
        self._exchange = exchange
        self._wanted = wanted
        self._answers: list[Answer] = []
        self._failed: list[str] = []

    def get(self) -> None:
        """Send on the association of the request."""
        for one in self._wanted:
            if self._told_to_stop():
                return
            self._count(one, self._sent_back(one))
        self._conclude()

    def move(self, sender: DicomSender, to: Peer | Destination) -> None:
        """Send on associations to `to`."""
        peer = Destination(to.ae_title, to.ae_title, to.host, to.port, frozenset(), to.tls)
        for start in range(0, len(self._wanted), MOST_CONTEXTS):
            batch = self._wanted[start : start + MOST_CONTEXTS]
            if self._told_to_stop():
                return
            try:
                self._move_batch(sender, peer, batch)
            except (DestinationUnavailable, DestinationRefused) as error:
                log.warning("move_failed", destination=peer.ae_title, reason=str(error))
                for one in batch[len(self._answers) - start :]:
                    self._count(one, Answer.REFUSED)
            if self._exchange.is_cancelled:
                self._respond(ServiceStatus.CANCELLED)
                return
        self._conclude()

    def _move_batch(self, sender: DicomSender, peer: Destination, batch: Sequence[HeldInstance]) -> None:
        pairs = dict.fromkeys((one.sop_class_uid, one.transfer_syntax_uid) for one in batch)
        # Only so does pynetdicom send a file's bytes as they are; else it decodes the data set and writes its own.
        _config.STORE_SEND_CHUNKED_DATASET = True
        with sender.association(peer, [(name, (syntax,)) for name, syntax in pairs]) as association:
            accepted = {(one.abstract_syntax, one.transfer_syntax[0]) for one in association.accepted_contexts}
            for one in batch:
                if self._exchange.look_for_cancel():
                    return
                answer = Answer.REFUSED
                if (one.sop_class_uid, one.transfer_syntax_uid) in accepted:
                    mover, number = self._exchange.caller[0], self._exchange.request.message_id
                    status = association.send_c_store(Path(one.path), number, 2, mover, number)
                    answer = answer_of(status.Status) if "Status" in status else Answer.REFUSED
                self._count(one, answer)
                self._respond(ServiceStatus.PENDING)

    def _sent_back(self, one: HeldInstance) -> Answer:
        accepted = {syntax: number for number, syntax in self._exchange.contexts_to_send(one.sop_class_uid)}
        syntax = next(iter(_syntaxes_for(one.transfer_syntax_uid, accepted)), None)
        if syntax is None:
            return Answer.REFUSED
        try:
            content = _data_set_of(one, syntax)
        except (OSError, InvalidDicomError, ValueError, TypeError, AttributeError, KeyError) as error:
            log.error("instance_not_sent", reason=type(error).__name__)
            return Answer.REFUSED
        answer = answer_of(self._exchange.store(accepted[syntax], one.sop_instance_uid, content))
        self._respond(ServiceStatus.PENDING, so_far=[*self._answers, answer])
        return answer

    def _told_to_stop(self) -> bool:
        if self._exchange.look_for_cancel():
            self._respond(ServiceStatus.CANCELLED)
            return True
        return False

    def _count(self, one: HeldInstance, answer: Answer) -> None:
        self._answers.append(answer)
        if answer in (Answer.REFUSED, Answer.TRY_LATER):
            self._failed.append(one.sop_instance_uid)

    def _respond(self, status: ServiceStatus, so_far: Sequence[Answer] | None = None) -> None:
        answers = self._answers if so_far is None else so_far
        completed, warning = answers.count(Answer.CONFIRMED), answers.count(Answer.WARNING)
        failed = len(answers) - completed - warning
        counts = SubOperations(len(self._wanted) - len(answers), completed, failed, warning)
        told = None
        if self._failed and status != ServiceStatus.PENDING:
            told = Dataset()
            told.FailedSOPInstanceUIDList = self._failed
        self._exchange.respond(status, told, counts)

    def _conclude(self) -> None:
        if not self._failed:
            self._respond(ServiceStatus.DONE)
        elif len(self._failed) < len(self._wanted):
            self._respond(ServiceStatus.SOME_FAILED)
        else:
            self._respond(ServiceStatus.SUBOPERATIONS_FAILED)


def _syntaxes_for(stored: str, accepted: Mapping[str, int]) -> Sequence[str]:
    """Return the accepted transfer syntaxes that an instance may be sent in, best first: as it is, or re-encoded."""
    others = _UNCOMPRESSED if stored in _UNCOMPRESSED else ()
    return [one for one in (stored, *others) if one in accepted]


def _data_set_of(one: HeldInstance, transfer_syntax_uid: str) -> bytes | memoryview:
    if transfer_syntax_uid == one.transfer_syntax_uid:
        content = memoryview(Path(one.path).read_bytes())
        return content[_META_LENGTH_ENDS + int.from_bytes(content[140:_META_LENGTH_ENDS], "little") :]
    encoded = encode(dcmread(BytesIO(Path(one.path).read_bytes())), transfer_syntax_uid == ImplicitVRLittleEndian, True)
    if encoded is None:
        raise ValueError("cannot be encoded")
    return encoded


def _level(identifier: Dataset) -> str:
    level = str(identifier.get("QueryRetrieveLevel") or "").strip()
    if level not in _UNIQUE_KEYS:
        raise UnreadableInstance(f"QueryRetrieveLevel is {level[:16]!r}, STUDY, SERIES or IMAGE is needed")
    return level


def _text(element: DataElement) -> str:
    """Return what a key asks for; several values are joined by backslashes, as they were."""
    value = element.value
    if value is None:
        return ""
    several = element.VM > 1
    return "\\".join(map(str, value)).strip() if several else str(value).strip()


def _answer(identifier: Dataset, level: str, match: Mapping[str, object], ae_title: str) -> Dataset:
    """Return the asked attributes of one match; those that are not kept are empty."""
    own = {"SpecificCharacterSet": "ISO_IR 192", "QueryRetrieveLevel": level, "RetrieveAETitle": ae_title}
    answer = Dataset()
    for keyword in {*own, *(one.keyword for one in identifier if one.VR != "SQ" and one.keyword)}:
        value = own.get(keyword, match.get(keyword))
        # What scanners wrote goes out as it came, also where it is longer than its VR allows.
        known = DataElement(keyword, dictionary_VR(keyword), value, validation_mode=config.IGNORE)
        answer.add(known)
    return answer
