"""Sends received instances on by C-STORE: the bytes of the data set as they came, never decoded on the way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pynetdicom import _config
from pynetdicom.association import Association

from dicom_gateway.sender import Destination, DicomSender, judge
from triage.errors import DestinationRefused, DestinationUnavailable
from triage.ports import Forwarded, Original

MOST_CONTEXTS = 120
"""Pairs of SOP class and transfer syntax in one association; PS3.8 9.3.2.2 has room for 128."""


@dataclass(frozen=True, slots=True)
class OriginalForwarder:
    """Satisfies `triage.ports.OriginalSender`."""

    sender: DicomSender

    def send_originals(self, originals: Sequence[Original], destination: str) -> Iterator[Forwarded]:
        """Yield each original as soon as the destination has confirmed or refused it.

        Raises:
            DestinationUnavailable: no association, no answer in time, or a transient status; what was not yielded
                is worth another try.
            DestinationRefused: the destination is unknown, does not know us, or takes none of these objects.
        """
        peer = self.sender.named(destination)
        # As many at a time as certainly need no more contexts than one association may have.
        for start in range(0, len(originals), MOST_CONTEXTS):
            batch = originals[start : start + MOST_CONTEXTS]
            contexts = tuple(dict.fromkeys(_context(one) for one in batch))
            with self.sender.association(peer, contexts) as association:
                accepted = {(one.abstract_syntax, one.transfer_syntax[0]) for one in association.accepted_contexts}
                for original in batch:
                    yield _sent(association, peer, original, _context(original) in accepted)


def _sent(association: Association, peer: Destination, original: Original, is_accepted: bool) -> Forwarded:
    if not is_accepted:
        sop_class, syntax = _context(original)
        return Forwarded(original, f"{peer.name}: does not accept SOP class {sop_class} in transfer syntax {syntax}")
    # Only so does pynetdicom send a file's bytes as they are; else it decodes the data set and writes its own.
    _config.STORE_SEND_CHUNKED_DATASET = True
    try:
        status = association.send_c_store(Path(original.file.path))
        judge(peer, original.sop_instance_uid, status)
    except DestinationRefused as error:
        return Forwarded(original, str(error))
    except OSError as error:
        raise DestinationUnavailable(f"{peer.name}: {original.sop_instance_uid} not read: {error.strerror}") from error
    return Forwarded(original)


def _context(original: Original) -> tuple[str, str]:
    return original.sop_class_uid, original.file.transfer_syntax_uid
