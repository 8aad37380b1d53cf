"""What becomes of an instance that arrives: Success only when it is safe, otherwise the status that is true."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from mmap import mmap
from typing import Protocol
from uuid import uuid4

import structlog

from dicom_gateway.file_meta import Claim
from dicom_gateway.following_rows import FollowingRows
from dicom_gateway.group_commit import Candidate, GroupCommit
from dicom_gateway.headers import read_instance
from dicom_gateway.peers import PeerList
from dicom_gateway.spool import SealedFile, Spool, UnfinishedFile
from dicom_gateway.statuses import StoreStatus, failure_status
from dicom_gateway.upper_layer.association import UNRECOGNISED_OPERATION, Services
from dicom_gateway.upper_layer.commands import Request
from dicom_gateway.upper_layer.connection import ReadEnded
from dicom_gateway.upper_layer.exchange import Exchange
from dicom_gateway.upper_layer.negotiation import AcceptedContext
from dicom_gateway.upper_layer.pdus import ConnectionLost, ProtocolViolation
from triage.errors import StorageFull, StoreUnavailable, UnreadableInstance
from triage.study import InstanceHeader, Registration, Source, StoredFile

log = structlog.get_logger(__name__)

_ROWS_WITHIN_S = 5.0


class IntakeLog(Protocol):
    """Where associations and unreadable bytes become known."""

    def association_opened(self, association_id: str, calling_ae_title: str, host: str) -> None: ...

    def association_closed(self, association_id: str, outcome: str) -> None: ...

    def quarantined(self, file: StoredFile, claimed_uid: str, reason: str, source: Source) -> None: ...


class Service(Protocol):
    """Answers the requests of one SOP class that is no storage class."""

    def serve(self, exchange: Exchange) -> None:
        """Answer the request with its final status; what is raised instead is answered as a failure."""


@dataclass(frozen=True, slots=True)
class Storing:
    """What all associations of this process work with; `services` are by SOP class.

    With `following`, an instance is acknowledged when its file is safe, and its row follows; without, its row is
    waited for, too.
    """

    peers: PeerList
    spool: Spool
    group: GroupCommit
    intake_log: IntakeLog
    services: Mapping[str, Service] = field(default_factory=dict)
    following: FollowingRows | None = None

    def session(self) -> "Session":
        return Session(self, Source("", "", uuid4().hex))

    def resumed(self, source: Source) -> "Session":
        """Return the session of an association whose process ended."""
        return Session(self, source)

    def keep_apart(self, sealed: SealedFile, claimed_uid: str, reason: str, source: Source) -> None:
        """Keep bytes that are no instance, and make them known."""
        self.intake_log.quarantined(self.spool.quarantine(sealed), claimed_uid, reason, source)
        self.spool.forget([sealed])


class Session:
    """One association's instances."""

    def __init__(self, store: Storing, source: Source) -> None:
        self._store = store
        self._source = source
        self._files = store.spool.new_files()
        self._may_store = False
        self._is_noted = False
        self._has_refused = False
        self._last_handed_in = 0

    def recognises(self, calling_ae_title: str, address: str, certificate: str) -> bool:
        """Refuse a name that is bound to another certificate; the attempt is logged, and counted with its sender."""
        if self._store.peers.believes(calling_ae_title, address, certificate):
            return True
        log.warning("certificate_refused", ae_title=calling_ae_title, host=address, sha256=certificate)
        self.accepted(calling_ae_title, address)
        with suppress(StoreUnavailable):
            self._note_association()
        return False

    def accepted(self, calling_ae_title: str, address: str) -> Services:
        self._source = Source(calling_ae_title, address, self._source.association_id)
        self._may_store = self._store.peers.may_store(calling_ae_title, address)
        return self

    def begin(self, request: Request, context: AcceptedContext) -> "IncomingInstance":
        claim = Claim(request.sop_class_uid, request.sop_instance_uid, context.transfer_syntax_uid)
        return IncomingInstance(self, claim)

    def serve(self, exchange: Exchange) -> None:
        """Let the service of the presentation context answer, and answer in its stead when it breaks."""
        if self._store.following is not None:
            # Whoever asks is told of everything that this process acknowledged before.
            self._store.following.wait_for(None, _ROWS_WITHIN_S)
        service = self._store.services.get(exchange.contexts[exchange.context_id].sop_class_uid)
        try:
            if service is None:
                exchange.respond(UNRECOGNISED_OPERATION)
            else:
                service.serve(exchange)
        except (ConnectionLost, ProtocolViolation, ReadEnded):
            raise
        except Exception as error:
            status = failure_status(exchange.request.field, error)
            known = isinstance(error, UnreadableInstance | StoreUnavailable)
            log.warning("request_failed", status=f"{status:04X}", exc_info=None if known else error)
            exchange.respond(status)

    def settle(self) -> None:
        """Wait for the rows of this association, but no longer than a sender waits for the answer to its release."""
        if self._store.following is not None:
            self._store.following.wait_for(self._last_handed_in, _ROWS_WITHIN_S)

    def closed(self, outcome: str) -> None:
        """Note how the association ended, if it was noted at all, and whether everything that it brought was taken."""
        self._files.give_back()
        if outcome == "released" and self._has_refused:
            outcome = "refused"
        if self._is_noted:
            self.settle()
            try:
                self._store.intake_log.association_closed(self._source.association_id, outcome)
            except StoreUnavailable:
                # Its studies complete after their quiet period, as those of a killed receiver do.
                log.warning("association_end_not_noted", association=self._source.association_id)

    def open_file(self, claim: Claim) -> UnfinishedFile | StoreStatus:
        """Return where the bytes go, or the status of those that are not wanted."""
        source = self._source
        if not self._may_store:
            log.warning("store_refused", ae_title=source.ae_title, host=source.host)
            return StoreStatus.NOT_AUTHORISED
        return self._store.spool.begin(self._files, claim, source)

    def keep(self, file: UnfinishedFile, claim: Claim) -> StoreStatus:
        """Return Success when the instance cannot be lost any more, or the status of bytes that were set apart."""
        sealed = file.seal()
        with file.content() as content:
            status = self.take(sealed, content, claim)
        if status is StoreStatus.SUCCESS:
            file.leave()
        return status

    def take(self, sealed: SealedFile, content: bytes | mmap, claim: Claim) -> StoreStatus:
        """As `keep`, for a file that is sealed already."""
        try:
            header = read_instance(content, claim.transfer_syntax_uid, sealed.data_set_start)
        except UnreadableInstance as error:
            return self._keep_apart(sealed, claim, str(error), StoreStatus.CANNOT_UNDERSTAND)
        if mismatch := _mismatch(header, claim):
            return self._keep_apart(sealed, claim, mismatch, StoreStatus.DATA_SET_DOES_NOT_MATCH)
        self._note_association()
        candidate = Candidate(sealed, header, self._source)
        if self._store.following is not None:
            self._last_handed_in = self._store.following.hand_in(candidate)
        elif self._store.group.register(candidate) is Registration.CONFLICT:
            log.warning("instance_conflict", association=self._source.association_id)
        return StoreStatus.SUCCESS

    def refused(self) -> None:
        """Note that the sender still has an instance that is not here."""
        self._has_refused = True

    def failed(self, error: Exception) -> StoreStatus:
        """Return the status for an error, logged."""
        if isinstance(error, StorageFull | StoreUnavailable):
            log.error("store_postponed", reason=type(error).__name__)
            return StoreStatus.OUT_OF_RESOURCES
        log.error("store_failed", association=self._source.association_id, exc_info=error)
        return StoreStatus.PROCESSING_FAILURE

    def _note_association(self) -> None:
        """Make the association known before its first instance is: a study with an open one is not complete."""
        if not self._is_noted:
            source = self._source
            self._store.intake_log.association_opened(source.association_id, source.ae_title, source.host)
            self._is_noted = True

    def _keep_apart(self, sealed: SealedFile, claim: Claim, reason: str, status: StoreStatus) -> StoreStatus:
        self._store.keep_apart(sealed, claim.sop_instance_uid, reason, self._source)
        log.warning("instance_quarantined", status=f"{status:04X}", association=self._source.association_id)
        return status


class IncomingInstance:
    """One data set on its way in; once something went wrong, the rest of its bytes is thrown away."""

    def __init__(self, session: Session, claim: Claim) -> None:
        self._session = session
        self._claim = claim
        self._file: UnfinishedFile | None = None
        self._status = StoreStatus.PROCESSING_FAILURE
        try:
            opened = session.open_file(claim)
            if isinstance(opened, StoreStatus):
                self._status = opened
            else:
                self._file = opened
        except Exception as error:
            self._give_up(error)

    def write(self, piece: memoryview) -> None:
        try:
            if self._file is not None:
                self._file.write(piece)
        except Exception as error:
            self._give_up(error)

    def finish(self) -> int:
        try:
            if self._file is not None:
                self._status = self._session.keep(self._file, self._claim)
        except Exception as error:
            # One instance that breaks something must not break the association, and is never acknowledged.
            self._give_up(error)
        finally:
            self.discard()
        if self._status is not StoreStatus.SUCCESS:
            self._session.refused()
        return self._status

    def discard(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.discard()
            self._file = None

    def _give_up(self, error: Exception) -> None:
        self._status = self._session.failed(error)
        self.discard()


def _mismatch(header: InstanceHeader, claim: Claim) -> str:
    claimed = f"{claim.sop_instance_uid} of class {claim.sop_class_uid}"
    found = f"{header.image.sop_instance_uid} of class {header.image.sop_class_uid}"
    if found != claimed:
        return f"data set is {found}, the request said {claimed}"
    study = header.study.study_instance_uid
    if claim.study_instance_uid not in ("", study):
        return f"data set is of study {study}, the request said {claim.study_instance_uid}"
    return ""
