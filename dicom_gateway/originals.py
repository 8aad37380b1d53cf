"""Sends received instances on, byte for byte; only where an archive refuses their transfer syntax are they decoded."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import _config
from pynetdicom.association import Association

from dicom_gateway.sender import Context, Destination, DicomSender, error_of
from dicom_gateway.transcoding import transcoded
from triage.errors import (
    DestinationRefused,
    DestinationUnavailable,
    ObjectPostponed,
    PermanentError,
    UnreadableInstance,
)
from triage.ports import SentOriginal, StoredOriginal

MOST_CONTEXTS = 128
"""The odd numbers from 1 to 255. Source: PS3.8 table 9-13."""

_PLAIN = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))


@dataclass(frozen=True, slots=True)
class DicomOriginalSender:
    """Satisfies `triage.ports.OriginalSender`: one association for as many instances as its contexts can carry."""

    sender: DicomSender

    def send_originals(self, originals: Sequence[StoredOriginal], destination: str) -> Iterator[SentOriginal]:
        """Yield what became of each original as soon as it is known.

        Raises:
            DestinationUnavailable: no association, it ended, or the destination is out of resources.
            DestinationRefused: the destination is unknown, does not know us, or takes none of them.
        """
        # pynetdicom then sends the bytes of the file as they are, piece by piece, instead of decoding and encoding.
        _config.STORE_SEND_CHUNKED_DATASET = True
        peer = self.sender.named(destination)
        refused: dict[str, list[StoredOriginal]] = {}
        for batch, contexts in _batches(originals):
            with self.sender.association(peer, contexts) as association:
                accepted = _accepted(association)
                for one in batch:
                    if (one.sop_class_uid, one.transfer_syntax_uid) in accepted:
                        yield self._stored(association, peer, one, Path(one.path), one.transfer_syntax_uid)
                    elif plain := next((syntax for syntax in _PLAIN if (one.sop_class_uid, syntax) in accepted), None):
                        refused.setdefault(plain, []).append(one)
                    else:
                        yield SentOriginal(one.sop_instance_uid, one.transfer_syntax_uid, _not_taken(peer, one))
        for syntax, batch in refused.items():
            for one in batch:
                yield self._decoded(peer, one, syntax)

    def _decoded(self, peer: Destination, original: StoredOriginal, syntax: str) -> SentOriginal:
        """Send one instance decoded, over an association that is opened afterwards: no peer waits for a decoder."""
        with TemporaryDirectory(prefix="acuity-") as folder:
            try:
                path = transcoded(Path(original.path), Path(folder), syntax)
            except PermanentError as failure:
                return SentOriginal(original.sop_instance_uid, original.transfer_syntax_uid, failure)
            with self.sender.association(peer, [(original.sop_class_uid, (syntax,))]) as association:
                return self._stored(association, peer, original, path, syntax)

    def _stored(
        self, association: Association, peer: Destination, original: StoredOriginal, path: Path, syntax: str
    ) -> SentOriginal:
        uid = original.sop_instance_uid
        try:
            read_file_meta_info(path)
        except (OSError, EOFError, ValueError, struct.error, InvalidDicomError) as failure:
            damaged = UnreadableInstance(f"instance {uid}: {type(failure).__name__} on reading its file")
            return SentOriginal(uid, syntax, damaged)
        status = association.send_c_store(path)
        error = error_of(peer, uid, status)
        if isinstance(error, DestinationUnavailable) and not isinstance(error, ObjectPostponed):
            raise error
        return SentOriginal(uid, syntax, error)


def _accepted(association: Association) -> set[tuple[str, str]]:
    return {(str(one.abstract_syntax), str(one.transfer_syntax[0])) for one in association.accepted_contexts}


def _not_taken(peer: Destination, original: StoredOriginal) -> DestinationRefused:
    what = f"SOP class {original.sop_class_uid} in transfer syntax {original.transfer_syntax_uid}"
    return DestinationRefused(f"{peer.name}: does not accept {what}, nor uncompressed")


def _batches(originals: Sequence[StoredOriginal]) -> Iterator[tuple[list[StoredOriginal], list[Context]]]:
    """Yield instances with the contexts that they need: each class as stored, and once uncompressed."""
    batch: list[StoredOriginal] = []
    contexts: dict[tuple[str, tuple[str, ...]], None] = {}
    for one in originals:
        plain = tuple(syntax for syntax in _PLAIN if syntax != one.transfer_syntax_uid)
        wanted = dict.fromkeys([(one.sop_class_uid, (one.transfer_syntax_uid,)), (one.sop_class_uid, plain)])
        if len(contexts | wanted) > MOST_CONTEXTS:
            yield batch, list(contexts)
            batch, contexts = [], {}
        batch.append(one)
        contexts |= wanted
    if batch:
        yield batch, list(contexts)
