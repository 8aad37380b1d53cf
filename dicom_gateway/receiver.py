"""The DICOM door: answers C-ECHO and C-STORE, and says Success only when the instance is safe."""

import itertools
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

import structlog

from dicom_gateway.group_commit import Candidate, GroupCommit, Intake
from dicom_gateway.headers import read_instance
from dicom_gateway.peers import PeerList
from dicom_gateway.spool import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    Claim,
    SealedFile,
    Spool,
    UnfinishedFile,
)
from dicom_gateway.statuses import StoreStatus
from dicom_gateway.upper_layer.association import Association, StoreService, Timeouts
from dicom_gateway.upper_layer.commands import Request
from dicom_gateway.upper_layer.connection import Connection
from dicom_gateway.upper_layer.negotiation import AcceptedContext, OwnIdentity
from dicom_gateway.upper_layer.slots import Limits, Slots
from triage.errors import StorageFull, StoreUnavailable, UnreadableInstance
from triage.study import InstanceHeader, Registration, Source, StoredFile

log = structlog.get_logger(__name__)

_LISTEN_BACKLOG = 128
_STOP_WITHIN_S = 5.0


class IntakeLog(Protocol):
    """Where associations and unreadable bytes become known."""

    def association_opened(self, association_id: str, calling_ae_title: str, host: str) -> None: ...

    def association_closed(self, association_id: str, outcome: str) -> None: ...

    def quarantined(self, file: StoredFile, claimed_uid: str, reason: str, source: Source) -> None: ...


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """Where to listen, under which name, and how much of the machine one peer may use."""

    ae_title: str = "ACUITY"
    host: str = "127.0.0.1"
    port: int = 11112
    limits: Limits = field(default_factory=Limits)
    timeouts: Timeouts = field(default_factory=Timeouts)
    longest_data_pdu: int = 131072
    tls: ssl.SSLContext | None = None


class Receiver:
    """Listens on one port; several of them, in several processes, may share it (SO_REUSEPORT)."""

    def __init__(
        self, settings: ReceiverSettings, peers: PeerList, spool: Spool, intake: Intake, intake_log: IntakeLog
    ) -> None:
        self._settings = settings
        self._store = _Store(peers, spool, GroupCommit(spool, intake), intake_log)
        self._slots = Slots(settings.limits)
        self._own = OwnIdentity(IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, settings.longest_data_pdu)
        self._listening: socket.socket | None = None
        self._lock = threading.Lock()
        self._served: dict[int, tuple[Connection, threading.Thread]] = {}
        self._stopping = False

    @property
    def port(self) -> int:
        """The port that is really listened on, also when the settings say 0."""
        assert self._listening is not None
        return int(self._listening.getsockname()[1])

    def start(self) -> None:
        """Listen from now on, in threads of this process."""
        family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((self._settings.host, self._settings.port))
        listening.listen(_LISTEN_BACKLOG)
        self._listening = listening
        threading.Thread(target=self._accept_all, args=(listening,), name="dicom-accept", daemon=True).start()

    def stop(self) -> None:
        """Stop listening; associations under way are aborted."""
        with self._lock:
            self._stopping = True
            served = list(self._served.values())
        if self._listening is not None:
            # `close` alone leaves a thread waiting in `accept`.
            with suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
        for connection, _ in served:
            connection.interrupt()
        for _, thread in served:
            thread.join(_STOP_WITHIN_S)

    def _accept_all(self, listening: socket.socket) -> None:
        for number in itertools.count():
            try:
                connected, address = listening.accept()
            except OSError as error:
                if self._stopping:
                    return
                # No descriptor or no memory is left: what was accepted before goes on, and gives some back.
                log.error("accept_failed", reason=error.strerror)
                threading.Event().wait(0.1)
                continue
            self._serve_in_thread(number, connected, address[0])

    def _serve_in_thread(self, number: int, connected: socket.socket, address: str) -> None:
        try:
            connection = Connection(connected, address, self._settings.timeouts.idle_s)
            thread = threading.Thread(
                target=self._serve, args=(number, connection), name=f"association-{number}", daemon=True
            )
            with self._lock:
                if self._stopping:
                    connection.close()
                    return
                self._served[number] = (connection, thread)
            self._slots.wait_for_request(number, connection.interrupt)
            thread.start()
        except (OSError, RuntimeError) as error:
            # The peer is gone already, or no thread can be started.
            log.warning("connection_dropped", host=address, reason=str(error))
            self._forget(number)
            connected.close()

    def _serve(self, number: int, connection: Connection) -> None:
        try:
            if self._settings.tls is not None:
                connection.secure(self._settings.tls, self._settings.timeouts.request_s)
            association = Association(connection, self._own, self._settings.timeouts, self._slots)
            session = self._store.session()
            session.closed(association.run(number, session))
        except OSError as error:
            log.warning("tls_refused", host=connection.address, reason=str(error))
        except Exception:
            # What breaks one association must not break the next one.
            log.exception("association_failed", host=connection.address)
        finally:
            self._forget(number)
            connection.close()

    def _forget(self, number: int) -> None:
        self._slots.negotiated(number)
        with self._lock:
            self._served.pop(number, None)


@dataclass(frozen=True, slots=True)
class _Store:
    """What all associations of this process store with."""

    peers: PeerList
    spool: Spool
    group: GroupCommit
    intake_log: IntakeLog

    def session(self) -> "_Session":
        return _Session(self)


class _Session:
    """One association's instances."""

    def __init__(self, store: _Store) -> None:
        self._store = store
        self._source = Source("", "", uuid4().hex)
        self._is_noted = False

    def accepted(self, calling_ae_title: str, address: str) -> StoreService:
        self._source = Source(calling_ae_title, address, self._source.association_id)
        return self

    def begin(self, request: Request, context: AcceptedContext) -> "_IncomingInstance":
        claim = Claim(request.sop_class_uid, request.sop_instance_uid, context.transfer_syntax_uid)
        return _IncomingInstance(self, claim)

    def closed(self, outcome: str) -> None:
        """Note how the association ended, if it was noted at all."""
        if self._is_noted:
            try:
                self._store.intake_log.association_closed(self._source.association_id, outcome)
            except StoreUnavailable:
                # Its studies complete after their quiet period, as those of a killed receiver do.
                log.warning("association_end_not_noted", association=self._source.association_id)

    def open_file(self, claim: Claim) -> UnfinishedFile | StoreStatus:
        """Return where the bytes go, or the status of those that are not wanted."""
        source = self._source
        if not self._store.peers.may_store(source.ae_title, source.host):
            log.warning("store_refused", ae_title=source.ae_title, host=source.host)
            return StoreStatus.NOT_AUTHORISED
        return self._store.spool.begin(claim)

    def keep(self, file: UnfinishedFile, claim: Claim) -> StoreStatus:
        """Return Success after fsync and commit, or the status of bytes that were set apart."""
        sealed = file.seal()
        try:
            with file.mapped() as content:
                header = read_instance(content, claim.transfer_syntax_uid, sealed.data_set_start)
        except UnreadableInstance as error:
            return self._keep_apart(sealed, claim, str(error), StoreStatus.CANNOT_UNDERSTAND)
        if mismatch := _mismatch(header, claim):
            return self._keep_apart(sealed, claim, mismatch, StoreStatus.DATA_SET_DOES_NOT_MATCH)
        self._note_association()
        registration = self._store.group.register(Candidate(sealed, header, self._source))
        if registration is Registration.CONFLICT:
            log.warning("instance_conflict", association=self._source.association_id)
        return StoreStatus.SUCCESS

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
        file = self._store.spool.quarantine(sealed)
        self._store.intake_log.quarantined(file, claim.sop_instance_uid, reason, self._source)
        log.warning("instance_quarantined", status=f"{status:04X}", association=self._source.association_id)
        return status


class _IncomingInstance:
    """One data set on its way in; once something went wrong, the rest of its bytes is thrown away."""

    def __init__(self, session: _Session, claim: Claim) -> None:
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
    return "" if found == claimed else f"data set is {found}, the request said {claimed}"
