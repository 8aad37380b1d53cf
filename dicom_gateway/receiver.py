"""The DICOM door: one port, a thread for each association, and an end to each of them."""

import itertools
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from pydicom import config

from dicom_gateway.adoption import Adoption
from dicom_gateway.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_gateway.following_rows import FollowingRows
from dicom_gateway.group_commit import Candidate, GroupCommit, Intake
from dicom_gateway.peers import PeerList
from dicom_gateway.spool import Spool
from dicom_gateway.storing import IntakeLog, Service, Storing
from dicom_gateway.upper_layer.association import Association, Timeouts
from dicom_gateway.upper_layer.connection import Connection
from dicom_gateway.upper_layer.negotiation import OwnIdentity
from dicom_gateway.upper_layer.slots import Limits, Slots

log = structlog.get_logger(__name__)

_LISTEN_BACKLOG = 128
_STOP_WITHIN_S = 5.0


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
        self,
        settings: ReceiverSettings,
        peers: PeerList,
        spool: Spool,
        intake: Intake,
        intake_log: IntakeLog,
        services: Mapping[str, Service] | None = None,
    ) -> None:
        self._settings = settings
        group = GroupCommit(spool, intake)
        self._rows = FollowingRows(group, self._keep_apart)
        self._store = Storing(peers, spool, group, intake_log, services or {}, self._rows)
        self._adoption = Adoption(self._store)
        self._slots = Slots(settings.limits, spool.has_space)
        self._own = OwnIdentity(
            IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, settings.longest_data_pdu, tuple(services or ())
        )
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
        # A UID that breaks the rules is refused or kept as it is; pydicom would warn of it with the text itself.
        config.settings.reading_validation_mode = config.IGNORE
        family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((self._settings.host, self._settings.port))
        listening.listen(_LISTEN_BACKLOG)
        self._listening = listening
        self._rows.start()
        self._adoption.start()
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
        self._adoption.stop()
        self._rows.stop()
        self._store.spool.inbox.close()

    def _keep_apart(self, candidate: Candidate, error: Exception) -> None:
        """Set an acknowledged instance apart for which the database takes no row: it is kept, and seen."""
        log.error("row_refused", association=candidate.source.association_id, exc_info=error)
        uid, reason = candidate.header.image.sop_instance_uid, f"no row: {type(error).__name__}"
        self._store.keep_apart(candidate.file, uid, reason, candidate.source)

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
