"""A simulated PACS: keeps what it is sent as files, one for each SOP instance, and loses nothing that it confirmed."""

import os
from io import BytesIO
from pathlib import Path
from threading import Lock, Thread
from typing import cast
from uuid import uuid4

import structlog
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pynetdicom import AE, _config, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import from a table
from pynetdicom.transport import ThreadedAssociationServer

from dicom_gateway.statuses import StoreStatus

log = structlog.get_logger(__name__)

_DUPLICATE_SOP_INSTANCE = 0x0111


class SimulatedPacs:
    """A storage SCP that also answers C-ECHO; `port` 0 takes a free one."""

    def __init__(self, folder: Path, ae_title: str, host: str, port: int) -> None:
        self._folder = folder
        self._ae_title = ae_title
        self._address = (host, port)
        self._server: ThreadedAssociationServer | None = None
        self._writing = Lock()

    @property
    def port(self) -> int:
        """The port that is really listened on."""
        assert self._server is not None
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Listen from now on, in threads of this process."""
        _config.UNRESTRICTED_STORAGE_SERVICE = True
        self._folder.mkdir(parents=True, exist_ok=True)
        entity = AE(ae_title=self._ae_title)
        entity.require_called_aet = True
        entity.add_supported_context(Verification)
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_C_STORE, self._on_c_store),
            (evt.EVT_C_ECHO, lambda _event: 0x0000),
        ]
        server = entity.make_server(self._address, evt_handlers=handlers)
        # `shutdown` expects to find the server where `start_server` would have put it.
        entity._servers.append(server)
        Thread(target=server.serve_forever, args=(0.2,), name="simulated-pacs", daemon=True).start()
        self._server = server

    def stop(self) -> None:
        """Stop listening; associations under way are aborted."""
        if self._server is not None:
            self._server.ae.shutdown()

    def _on_c_store(self, event: evt.Event) -> int:
        request = cast(C_STORE, event.request)
        uid = str(request.AffectedSOPInstanceUID)
        file = event.encoded_dataset()
        try:
            held = str(dcmread(BytesIO(file), stop_before_pixels=True, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
        except (InvalidDicomError, AttributeError, EOFError, ValueError):
            return StoreStatus.CANNOT_UNDERSTAND
        if held != uid:
            return StoreStatus.DATA_SET_DOES_NOT_MATCH
        try:
            with self._writing:
                return self._keep(uid, file)
        except OSError as error:
            log.error("simulated_pacs_cannot_write", reason=error.strerror)
            return StoreStatus.OUT_OF_RESOURCES

    def _keep(self, uid: str, file: bytes) -> int:
        """Return Success once the bytes are safe; another object under a UID that is known is refused."""
        path = self._folder / f"{uid}.dcm"
        if path.exists():
            return StoreStatus.SUCCESS if path.read_bytes() == file else _DUPLICATE_SOP_INSTANCE
        unfinished = self._folder / f"{uuid4().hex}.part"
        try:
            with unfinished.open("xb") as out:
                out.write(file)
                out.flush()
                os.fsync(out.fileno())
            unfinished.rename(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        _fsync_folder(self._folder)
        return StoreStatus.SUCCESS


def stored_objects(folder: Path) -> tuple[Path, ...]:
    """Return the files that a simulated PACS keeps in `folder`, sorted by UID; none where it is missing."""
    return tuple(sorted(folder.glob("*.dcm")))


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
