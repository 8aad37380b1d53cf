"""Sends a study as a scanner does: one association, every status looked at, what failed sent again."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event

import structlog
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from dicom_gateway.sender import Answer, Destination, DicomSender, SenderLimits, answer_of
from triage.errors import DestinationRefused, DestinationUnavailable, InvalidSetting

log = structlog.get_logger(__name__)

NOT_SENT = "not sent"
LONGEST_PAUSE_S = 10.0

_LIMITS = SenderLimits()


@dataclass(frozen=True, slots=True)
class Address:
    """A DICOM receiver."""

    ae_title: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a study is tried, and the pause after the first failure in seconds, doubled after each further one."""

    tries: int = 5
    first_pause_s: float = 0.5


USUAL_PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One status for each image in the order of sending, and whether the receiver confirmed them all."""

    statuses: tuple[str, ...]
    is_complete: bool


def address_from(text: str) -> Address:
    """Return the address that `text`, AE@HOST:PORT, names.

    Raises:
        InvalidSetting: it is written otherwise.
    """
    ae_title, at, rest = text.partition("@")
    host, colon, port = rest.rpartition(":")
    is_number = port.isascii() and port.isdigit() and 0 < int(port) < 65536
    is_title = bool(ae_title.strip()) and len(ae_title) <= 16 and ae_title.isascii() and ae_title.isprintable()
    if not (at and colon and host and is_number and is_title and "\\" not in ae_title):
        raise InvalidSetting(f"receiver {text!r}: AE@HOST:PORT is needed, for example ACUITY@127.0.0.1:11112")
    return Address(ae_title, host.strip("[]"), int(port))


def await_receiver(to: Address, calling_ae_title: str, stop: Event, pause_s: float = 0.5) -> bool:
    """Return True once the receiver answers a C-ECHO, False when `stop` is set before."""
    while not stop.is_set():
        try:
            _ask(to, calling_ae_title)
        except (DestinationUnavailable, DestinationRefused):
            stop.wait(pause_s)
        else:
            return True
    return False


def send_study(
    images: Sequence[Dataset], calling_ae_title: str, to: Address, stop: Event, patience: Patience
) -> Delivery:
    """Return when every image is confirmed, refused for good, out of patience, or `stop` is set."""
    answered: dict[int, int] = {}
    for attempt in range(patience.tries):
        if attempt and stop.wait(min(LONGEST_PAUSE_S, patience.first_pause_s * 2 ** (attempt - 1))):
            break
        waiting = {number: image for number, image in enumerate(images) if not _is_settled(answered, number)}
        try:
            _ask(to, calling_ae_title)
            _send(waiting, calling_ae_title, to, stop, answered)
        except DestinationUnavailable as error:
            log.warning("simulated_study_postponed", receiver=str(to), attempt=attempt + 1, reason=str(error))
        except DestinationRefused as error:
            log.error("simulated_study_refused", receiver=str(to), reason=str(error))
            break
        if stop.is_set() or all(_is_settled(answered, number) for number in range(len(images))):
            break
    confirmed = [answer_of(status) in (Answer.CONFIRMED, Answer.WARNING) for status in answered.values()]
    statuses = tuple(f"{answered[number]:04X}H" if number in answered else NOT_SENT for number in range(len(images)))
    return Delivery(statuses, is_complete=sum(confirmed) == len(images))


def _is_settled(answered: Mapping[int, int], number: int) -> bool:
    """Return whether image `number` has an answer that no further try would change."""
    return number in answered and answer_of(answered[number]) is not Answer.TRY_LATER


def _ask(to: Address, calling_ae_title: str) -> None:
    """Return when the receiver answers a C-ECHO; otherwise the error says in words what it lacks."""
    receiver = Destination(str(to), to.ae_title, to.host, to.port, frozenset())
    DicomSender((receiver,), calling_ae_title, _LIMITS).verify(receiver.name)


def _send(
    images: Mapping[int, Dataset], calling_ae_title: str, to: Address, stop: Event, answered: dict[int, int]
) -> None:
    """Send `images` over one association and note each status in `answered`, where it stays if the rest breaks off."""
    entity = AE(ae_title=calling_ae_title)
    entity.connection_timeout, entity.acse_timeout = _LIMITS.connect_s, _LIMITS.association_s
    entity.dimse_timeout, entity.network_timeout = _LIMITS.answer_s, _LIMITS.silence_s
    for context in sorted({(image.SOPClassUID, image.file_meta.TransferSyntaxUID) for image in images.values()}):
        entity.add_requested_context(*context)
    handlers: list[evt.EventHandlerType] = [(evt.EVT_CONN_OPEN, _send_at_once)]
    association = entity.associate(to.host, to.port, ae_title=to.ae_title, evt_handlers=handlers)
    if not association.is_established:
        raise DestinationUnavailable(f"{to}: no association for storage")
    try:
        for number, image in images.items():
            if stop.is_set() or not association.is_established:
                break
            status = association.send_c_store(image)
            if "Status" in status:
                answered[number] = int(status.Status)
            else:
                answered.pop(number, None)
    except (RuntimeError, ValueError) as error:
        # pynetdicom's words for a peer that aborted between two images, and for a class that it does not take.
        raise DestinationUnavailable(f"{to}: {type(error).__name__} while sending") from error
    finally:
        association.release()


def _send_at_once(event: evt.Event) -> None:
    # Nagle's algorithm and a peer's delayed acknowledgement together cost up to 40 ms an image.
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
