"""The DICOM door: answers C-ECHO and C-STORE, and says Success only when the instance is safe."""

import socket
from dataclasses import dataclass
from threading import Thread
from typing import Protocol, cast
from uuid import uuid4

import structlog
from pydicom import config
from pynetdicom import AE, _config, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from dicom_gateway.headers import read_instance
from dicom_gateway.peers import PeerList
from dicom_gateway.spool import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, ReceivedBytes, Spool
from dicom_gateway.statuses import StoreStatus
from triage.errors import StorageFull, StoreUnavailable, UnreadableInstance
from triage.study import InstanceHeader, ReceivedInstance, Registration, Source, StoredFile

log = structlog.get_logger(__name__)


class Intake(Protocol):
    """Where received instances become known."""

    def register_instance(self, instance: ReceivedInstance) -> Registration:
        """Return when the rows are committed; raises StoreUnavailable."""


class IntakeLog(Protocol):
    """Where associations and unreadable bytes become known."""

    def association_opened(self, association_id: str, calling_ae_title: str, host: str) -> None: ...

    def association_closed(self, association_id: str, outcome: str) -> None: ...

    def quarantined(self, file: StoredFile, claimed_uid: str, reason: str, source: Source) -> None: ...


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """Where to listen and under which name."""

    ae_title: str = "ACUITY"
    host: str = "127.0.0.1"
    port: int = 11112
    maximum_associations: int = 100
    network_timeout_s: float = 60.0


class Receiver:
    """Listens on one port; several of them, in several processes, may share it (SO_REUSEPORT)."""

    def __init__(
        self, settings: ReceiverSettings, peers: PeerList, spool: Spool, intake: Intake, intake_log: IntakeLog
    ) -> None:
        self._settings = settings
        self._peers = peers
        self._spool = spool
        self._intake = intake
        self._log = intake_log
        self._sources: dict[int, Source] = {}
        self._server: ThreadedAssociationServer | None = None

    @property
    def port(self) -> int:
        """The port that is really listened on, also when the settings say 0."""
        assert self._server is not None
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Listen from now on, in threads of this process."""
        # Every storage class, private ones too, in the transfer syntax that the sender likes best.
        _config.UNRESTRICTED_STORAGE_SERVICE = True
        # Text that breaks the rules of its VR is kept as it is; pydicom would warn of it with the text itself.
        config.settings.reading_validation_mode = config.IGNORE
        settings = self._settings
        entity = AE(ae_title=settings.ae_title)
        entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        entity.add_supported_context(Verification)
        entity.maximum_associations = settings.maximum_associations
        entity.maximum_pdu_size = 131072
        entity.network_timeout = settings.network_timeout_s
        entity.acse_timeout = 10
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_ACCEPTED, self._on_accepted),
            (evt.EVT_C_STORE, self.on_c_store),
            (evt.EVT_C_ECHO, lambda _event: 0x0000),
            (evt.EVT_RELEASED, lambda event: self._on_closed(event, "released")),
            (evt.EVT_ABORTED, lambda event: self._on_closed(event, "aborted")),
            (evt.EVT_CONN_CLOSE, lambda event: self._on_closed(event, "lost")),
        ]
        address = (settings.host, settings.port)
        server = entity.make_server(address, evt_handlers=handlers, server_class=_SharedPortServer)
        # `shutdown` expects to find the server where `start_server` would have put it.
        entity._servers.append(server)
        Thread(target=server.serve_forever, args=(0.2,), name="dicom-accept", daemon=True).start()
        self._server = server

    def stop(self) -> None:
        """Stop listening; associations under way are aborted."""
        if self._server is not None:
            self._server.ae.shutdown()

    def on_c_store(self, event: evt.Event) -> int:
        """Answer one C-STORE: Success after fsync and commit, otherwise the status that is true."""
        source = self._source_of(event)
        if not self._peers.may_store(source.ae_title, source.host):
            log.warning("store_refused", ae_title=source.ae_title, host=source.host)
            return StoreStatus.NOT_AUTHORISED
        try:
            return self._store(event, source)
        except (StorageFull, StoreUnavailable) as error:
            log.error("store_postponed", reason=type(error).__name__)
            return StoreStatus.OUT_OF_RESOURCES
        except Exception:
            # One instance that breaks something must not break the association, and is never acknowledged.
            log.exception("store_failed", association=source.association_id)
            return StoreStatus.PROCESSING_FAILURE

    def _store(self, event: evt.Event, source: Source) -> StoreStatus:
        received = _received(event)
        try:
            header = read_instance(received.data_set, received.transfer_syntax_uid)
        except UnreadableInstance as error:
            return self._keep_apart(received, source, str(error), StoreStatus.CANNOT_UNDERSTAND)
        if mismatch := _mismatch(header, received):
            return self._keep_apart(received, source, mismatch, StoreStatus.DATA_SET_DOES_NOT_MATCH)
        file = self._spool.write(received)
        registration = self._intake.register_instance(ReceivedInstance(header, file, source))
        if registration is Registration.CONFLICT:
            log.warning("instance_conflict", association=source.association_id)
        return StoreStatus.SUCCESS

    def _keep_apart(self, received: ReceivedBytes, source: Source, reason: str, status: StoreStatus) -> StoreStatus:
        file = self._spool.quarantine(received)
        self._log.quarantined(file, received.sop_instance_uid, reason, source)
        log.warning("instance_quarantined", status=f"{status:04X}", association=source.association_id)
        return status

    def _source_of(self, event: evt.Event) -> Source:
        return self._sources[id(event.assoc)]

    def _on_accepted(self, event: evt.Event) -> None:
        requestor = event.assoc.requestor
        source = Source(requestor.ae_title.strip(), str(requestor.address), uuid4().hex)
        self._sources[id(event.assoc)] = source
        if any(context.abstract_syntax != Verification for context in event.assoc.accepted_contexts):
            self._log.association_opened(source.association_id, source.ae_title, source.host)

    def _on_closed(self, event: evt.Event, outcome: str) -> None:
        source = self._sources.pop(id(event.assoc), None)
        if source is not None:
            self._log.association_closed(source.association_id, outcome)


class _SharedPortServer(ThreadedAssociationServer):
    """A listening socket that other processes may share, with answers sent at once."""

    def server_bind(self) -> None:
        assert self.socket is not None
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        # A response that waits for Nagle's algorithm and the peer's delayed ACK costs 40 ms an instance.
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address


def _received(event: evt.Event) -> ReceivedBytes:
    request = cast(C_STORE, event.request)
    data_set = b"" if request.DataSet is None else request.DataSet.getvalue()
    syntax = str(event.context.transfer_syntax)
    return ReceivedBytes(data_set, str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID), syntax)


def _mismatch(header: InstanceHeader, received: ReceivedBytes) -> str:
    claimed = f"{received.sop_instance_uid} of class {received.sop_class_uid}"
    found = f"{header.image.sop_instance_uid} of class {header.image.sop_class_uid}"
    return "" if found == claimed else f"data set is {found}, the request said {claimed}"
