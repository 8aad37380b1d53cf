"""The file meta group in front of a received data set: what the file is, and all that its row is made of again.

Source: PS3.10 section 7.1 (file meta information; Private Information is ours to define).
"""

import json
import struct
from dataclasses import dataclass
from functools import cache, lru_cache
from mmap import mmap

from dicom_gateway.elements import Encoding, find
from triage.errors import UnreadableInstance
from triage.identifiers import Sha256
from triage.study import Source

IMPLEMENTATION_CLASS_UID = "2.25.318734610734820473528150223640915062103"
IMPLEMENTATION_VERSION_NAME = "ACUITY_0_1"

_ELEMENTS_START = 144
_DIGITS = 64
_CLASS, _INSTANCE, _SYNTAX, _PRIVATE = 0x00020002, 0x00020003, 0x00020010, 0x00020102


@dataclass(frozen=True, slots=True)
class Claim:
    """What a C-STORE request says that its data set is; with a study, it may be of no other."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str = ""


@dataclass(frozen=True, slots=True)
class FileMeta:
    """A meta group as bytes; the SHA-256 of the data set, as 64 digits, is to be written at `digest_at`."""

    content: bytes
    digest_at: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """What the meta group of a file says of the data set that begins at `data_set_start`."""

    sha256: Sha256
    claim: Claim
    source: Source
    data_set_start: int


def file_meta(claim: Claim, source: Source) -> FileMeta:
    """Return preamble, prefix and meta group; its digest is zeros, which no data set has."""
    private = _private(claim.study_instance_uid, source)
    elements = b"".join(
        (
            _version(),
            _short(0x0002, b"UI", claim.sop_class_uid),
            _short(0x0003, b"UI", claim.sop_instance_uid),
            _short(0x0010, b"UI", claim.transfer_syntax_uid),
            _implementation(),
            struct.pack("<HH2sHL", 2, 0x0102, b"OB", 0, len(private)) + private,
        )
    )
    content = bytes(128) + b"DICM" + struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(elements)) + elements
    return FileMeta(content, len(content) - len(private))


def read_sealed(data: bytes | mmap) -> Sealed:
    """Return what `file_meta` wrote at the beginning of a file, and the digest that was added.

    Raises:
        UnreadableInstance: there is no such meta group, or it is not whole.
    """
    try:
        start = _ELEMENTS_START + int.from_bytes(data[_ELEMENTS_START - 4 : _ELEMENTS_START], "little")
        encoding = Encoding(is_implicit=False, is_little_endian=True)
        found = find(data, _ELEMENTS_START, start, encoding, {_CLASS, _INSTANCE, _SYNTAX, _PRIVATE})
        values = {tag: data[one.start : one.end] for tag, one in found.items()}
        uids = [values[tag].rstrip(b"\0").decode("ascii") for tag in (_CLASS, _INSTANCE, _SYNTAX)]
        study, ae_title, host, association = json.loads(values[_PRIVATE][_DIGITS:])
    except (struct.error, KeyError, ValueError) as error:
        raise UnreadableInstance(f"no file meta group of ours: {error}") from error
    digest = Sha256(values[_PRIVATE][:_DIGITS].decode("ascii", "replace"))
    return Sealed(digest, Claim(uids[0], uids[1], uids[2], study), Source(ae_title, host, association), start)


@lru_cache(maxsize=128)
def _private(study_instance_uid: str, source: Source) -> bytes:
    told = (study_instance_uid, source.ae_title, source.host, source.association_id)
    private = b"0" * _DIGITS + json.dumps(told).encode()
    return private + b" " * (len(private) % 2)


def _short(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace")
    value += (b"\x00" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


@cache
def _version() -> bytes:
    return struct.pack("<HH2sHL", 2, 1, b"OB", 0, 2) + b"\x00\x01"


@cache
def _implementation() -> bytes:
    return (
        _short(0x0012, b"UI", IMPLEMENTATION_CLASS_UID)
        + _short(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME)
        + _short(0x0100, b"UI", IMPLEMENTATION_CLASS_UID)
    )
