"""DICOM files that come by STOW-RS take the way of C-STORE: written as they come, fsynced, committed, then answered."""

import struct
from dataclasses import dataclass, field

from dicom_gateway.elements import Encoding, find
from dicom_gateway.file_meta import Claim
from dicom_gateway.peers import PeerList
from dicom_gateway.statuses import StoreStatus
from dicom_gateway.storing import IncomingInstance, Session, Storing
from triage.errors import UnreadableInstance

_META_START = 132
_GROUP_LENGTH_BYTES = 12
LONGEST_META_BYTES = 1 << 16
_CLASS, _INSTANCE, _SYNTAX = 0x00020002, 0x00020003, 0x00020010


class SignedIn(PeerList):
    """Who may store was decided before: by role for STOW-RS, by the settings for what was fetched."""

    def may_store(self, ae_title: str, host: str) -> bool:  # noqa: ARG002
        return True


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one part: `failure` is 0 or the C-STORE status; UIDs are empty where the part is no DICOM file."""

    sop_class_uid: str
    sop_instance_uid: str
    failure: int


@dataclass(frozen=True, slots=True)
class WebIntake:
    """Satisfies `worklist.dicomweb.ports.DicomIntake`."""

    store: Storing

    def session(self, sender: str, host: str, study_instance_uid: str) -> "WebSession":
        """Return a session, which holds its studies open as an association does."""
        session = self.store.session()
        session.accepted(sender, host)
        return WebSession(session, study_instance_uid)


@dataclass(frozen=True, slots=True)
class WebSession:
    """The parts of one request."""

    session: Session
    study_instance_uid: str

    def begin(self) -> "FilePart":
        return FilePart(self.session, self.study_instance_uid)

    def close(self, outcome: str) -> None:
        self.session.closed(outcome)


@dataclass(slots=True)
class FilePart:
    """A DICOM file (PS3.10) in pieces; its preamble and meta group are read, and rebuilt as for any other sender."""

    session: Session
    study_instance_uid: str
    _head: bytearray = field(default_factory=bytearray)
    _claim: Claim | None = None
    _incoming: IncomingInstance | None = None
    _is_refused: bool = False

    def write(self, piece: bytes) -> None:
        """Take the next bytes; once they turn out to be no DICOM file, the rest is thrown away."""
        if self._is_refused:
            return
        if self._incoming is not None:
            self._incoming.write(memoryview(piece))
            return
        self._head += piece
        try:
            end = _meta_end(self._head)
            if end and len(self._head) >= end:
                self._claim = _claim(bytes(self._head[:end]), self.study_instance_uid)
                self._incoming = IncomingInstance(self.session, self._claim)
                self._incoming.write(memoryview(bytes(self._head[end:])))
                self._head = bytearray()
        except (UnreadableInstance, struct.error):
            self._is_refused = True
            self._head = bytearray()

    def finish(self) -> Receipt:
        """Return when the instance is fsynced and committed, or why it is not."""
        if self._incoming is None or self._claim is None:
            return Receipt("", "", StoreStatus.CANNOT_UNDERSTAND)
        status = self._incoming.finish()
        return Receipt(self._claim.sop_class_uid, self._claim.sop_instance_uid, status)

    def discard(self) -> None:
        """Leave nothing behind."""
        if self._incoming is not None:
            self._incoming.discard()


def _meta_end(head: bytearray) -> int:
    """Return where the data set begins, 0 while too little is known; raises UnreadableInstance.

    Source: PS3.10 section 7.1: 128 bytes, DICM, and group 2 in Explicit VR Little Endian behind its own length.
    """
    if len(head) < _META_START + _GROUP_LENGTH_BYTES:
        return 0
    tag, vr, size, length = struct.unpack_from("<L2sHL", head, _META_START)
    if head[_META_START - 4 : _META_START] != b"DICM" or (tag, vr, size) != (0x00000002, b"UL", 4):
        raise UnreadableInstance("no DICOM file: DICM and the length of group 2 are needed")
    if length > LONGEST_META_BYTES:
        raise UnreadableInstance(f"file meta group of {length} bytes, at most {LONGEST_META_BYTES}")
    return _META_START + _GROUP_LENGTH_BYTES + int(length)


def _claim(head: bytes, study_instance_uid: str) -> Claim:
    found = find(
        head,
        _META_START + _GROUP_LENGTH_BYTES,
        len(head),
        Encoding(is_implicit=False, is_little_endian=True),
        {_CLASS, _INSTANCE, _SYNTAX},
    )
    texts = {tag: head[one.start : one.end].rstrip(b"\0 ") for tag, one in found.items()}
    for tag in (_CLASS, _INSTANCE, _SYNTAX):
        uid = texts.get(tag, b"")
        if not 1 <= len(uid) <= 64 or not set(uid) <= set(b"0123456789."):
            raise UnreadableInstance(f"file meta element {tag:08X} is no UID")
    uids = {tag: text.decode("ascii") for tag, text in texts.items()}
    return Claim(uids[_CLASS], uids[_INSTANCE], uids[_SYNTAX], study_instance_uid)
