"""Taking a bundle out of a zip file that anybody may have made: only plain files, only inside, only so many."""

import re
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from triage.errors import InvalidBundle, StorageFull

PICKLE_SUFFIXES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".ts"})
"""Files that Python or torch would load by running what stands in them; Acuity loads ONNX, which is data."""

_NAME = re.compile(r"[A-Za-z0-9._+@ ()\[\]=,~-]{1,128}")
_ZIP_MAGIC = b"PK\x03\x04"
_BLOCK = 1 << 20
_UNIX = 3
_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How much a bundle may be when it is unpacked."""

    files: int = 1000
    total_bytes: int = 4 << 30
    depth: int = 8


def unpack_bundle(archive: Path, target: Path, limits: ArchiveLimits = ArchiveLimits()) -> None:
    """Write the files of the zip `archive` into the empty folder `target`; where all lie in one folder, without it.

    Raises:
        InvalidBundle: the archive is no zip, is damaged or encrypted; an entry is a link or no plain file, has a name
            that leads outside or is there twice, or holds a pickle; or it unpacks to more than `limits`.
        StorageFull: the disk did not take it.
    """
    if not archive.is_file():
        raise InvalidBundle(f"{archive}: no such file, needed a zip file with a bundle")
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [one for one in opened.infolist() if not one.is_dir() and not _is_clutter(one.filename)]
            paths = _paths(entries, limits)
            for entry, parts in zip(entries, paths, strict=True):
                destination = target.joinpath(*parts)
                destination.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(entry) as source:
                    _copy(source, destination, entry)
    except OSError as error:
        raise StorageFull(f"{archive}: cannot be read or unpacked: {error.strerror or error}") from error
    except (zipfile.BadZipFile, EOFError, RuntimeError, ValueError, zlib.error) as error:
        raise InvalidBundle(f"{archive}: {error}, needed a zip file with a bundle") from error


def _paths(entries: list[zipfile.ZipInfo], limits: ArchiveLimits) -> list[tuple[str, ...]]:
    """Return where each entry goes, having looked at all of them before anything is written."""
    if not entries:
        raise InvalidBundle("the archive holds no files, needed a bundle")
    if len(entries) > limits.files:
        raise InvalidBundle(f"the archive holds {len(entries)} files, at most {limits.files}")
    total = sum(one.file_size for one in entries)
    if total > limits.total_bytes:
        raise InvalidBundle(f"the archive unpacks to {total / 1e9:.1f} GB, at most {limits.total_bytes / 1e9:.1f}")
    paths = [_checked(one, limits) for one in entries]
    if len(paths[0]) > 1 and all(one[0] == paths[0][0] and len(one) > 1 for one in paths):
        paths = [one[1:] for one in paths]
    seen: set[tuple[str, ...]] = set()
    for path in paths:
        # Some file systems hold LICENSE and license for one file, and the second would overwrite the first.
        folded = tuple(part.casefold() for part in path)
        if folded in seen:
            raise InvalidBundle(f"{'/'.join(path)}: twice in the archive, needed once")
        seen.add(folded)
    return paths


def _is_clutter(name: str) -> bool:
    """Return whether an entry is what a desktop adds to every archive."""
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1] == ".DS_Store"


def _checked(entry: zipfile.ZipInfo, limits: ArchiveLimits) -> tuple[str, ...]:
    """Return the parts of an entry's name."""
    name = entry.filename
    parts = tuple(name.split("/"))
    kind = stat.S_IFMT(entry.external_attr >> 16) if entry.create_system == _UNIX else 0
    if kind not in (0, stat.S_IFREG):
        raise InvalidBundle(f"{name!r}: {'symbolic link' if kind == stat.S_IFLNK else 'no plain file'}, needed a file")
    if any(part in (".", "..") or not _NAME.fullmatch(part) for part in parts) or len(parts) > limits.depth:
        raise InvalidBundle(f"{name!r}: needed a name inside the bundle, of letters, digits and plain signs")
    if entry.flag_bits & _ENCRYPTED or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InvalidBundle(f"{name!r}: encrypted or compressed in a rare way, needed it stored or deflated")
    if Path(name).suffix.lower() in PICKLE_SUFFIXES:
        raise InvalidBundle(f"{name!r}: a pickle runs code when it is loaded, needed ONNX (export the model)")
    return parts


def _copy(source: IO[bytes], destination: Path, entry: zipfile.ZipInfo) -> None:
    """Write one entry; zipfile gives no more bytes than the entry's size, which was counted beforehand."""
    first, last = b"", b""
    with destination.open("xb") as file:
        while block := source.read(_BLOCK):
            first, last = first or block[:4], block[-1:]
            file.write(block)
    if _is_pickle(first, last):
        raise InvalidBundle(f"{entry.filename!r}: holds a pickle or an archive, needed ONNX and plain files")


def _is_pickle(first: bytes, last: bytes) -> bool:
    """Return whether a file that begins and ends so is a pickle (protocol 2 to 5), or a zip file as torch writes it."""
    begins = first[:1] == b"\x80" and first[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    return first == _ZIP_MAGIC or (begins and last == b".")
