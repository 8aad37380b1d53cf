"""Whether every file that a row names is there with the bytes that were kept, and whether other files lie beside."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Engine, Table, null, select

from storage.schema import instance_conflicts, instances, quarantine, result_objects
from storage.transaction import transaction

SETTLED_AFTER_S = 60.0
"""A file gets its place a moment before its row is committed, so a younger one without a row is nothing strange."""

_ROWS_AT_ONCE = 2000
_PIECE_BYTES = 1 << 20
_META_LENGTH_END = 144
_SOURCES: tuple[tuple[str, Table, ColumnElement[Any]], ...] = (
    ("instance", instances, instances.c.sop_instance_uid),
    ("conflict", instance_conflicts, instance_conflicts.c.path),
    ("quarantine", quarantine, quarantine.c.id),
    ("result", result_objects, result_objects.c.sop_instance_uid),
)
"""The tables that name files, and what each is read in the order of, some thousand rows at a time."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that is not as it should be: its path, what kind of row names it ("" for none), and what was found."""

    path: str
    kind: str
    found: str


@dataclass(slots=True)
class FileCheck:
    """What checking found; `is_whole` when nothing is missing, altered or without a row."""

    files: int = 0
    bytes: int = 0
    missing: list[Fault] = field(default_factory=list)
    altered: list[Fault] = field(default_factory=list)
    orphans: list[Fault] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not (self.missing or self.altered or self.orphans)

    def as_object(self) -> dict[str, Any]:
        """Return the answer of `acuity storage verify --json`."""
        return {"whole": self.is_whole} | asdict(self)


def check_files(engine: Engine, folders: Sequence[Path]) -> FileCheck:
    """Read every file that a row names again and compare its SHA-256; then look for files in `folders` without a row.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    found = FileCheck()
    # The folders are listed before the rows are read: what arrives meanwhile is no file without a row.
    lying = {str(path) for folder in folders for path in folder.rglob("*") if path.is_file()}
    for path, digest, size, kind in _named(engine):
        lying.discard(path)
        found.files += 1
        _check(found, Path(path), digest, size, kind)
    latest = time.time() - SETTLED_AFTER_S
    for path in sorted(lying):
        if Path(path).exists() and Path(path).stat().st_ctime < latest:
            found.orphans.append(Fault(path, "", "no row names it"))
    return found


def _check(found: FileCheck, path: Path, digest: str, size: int | None, kind: str) -> None:
    try:
        actual, length = _data_set_digest(path)
    except FileNotFoundError:
        found.missing.append(Fault(str(path), kind, "no such file"))
        return
    except OSError as error:
        found.altered.append(Fault(str(path), kind, error.strerror or type(error).__name__))
        return
    found.bytes += length
    if size is not None and length != size:
        found.altered.append(Fault(str(path), kind, f"data set of {length} bytes, {size} needed"))
    elif actual != digest:
        found.altered.append(Fault(str(path), kind, f"SHA-256 {actual}, {digest} needed"))


def _data_set_digest(path: Path) -> tuple[str, int]:
    """Return SHA-256 and length of what follows the file meta group, whose length its first element states (PS3.10)."""
    digest, length = hashlib.sha256(), 0
    with path.open("rb") as file:
        head = file.read(_META_LENGTH_END)
        file.seek(_META_LENGTH_END + int.from_bytes(head[_META_LENGTH_END - 4 :], "little"))
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            length += len(piece)
    return digest.hexdigest(), length


def _named(engine: Engine) -> Iterator[tuple[str, str, int | None, str]]:
    """Yield path, SHA-256, size (of results it is not known) and kind of every file that a row names."""
    for kind, table, key in _SOURCES:
        size = table.c.get("size", null())
        query = select(table.c.path, table.c.sha256, size.label("size"), key.label("key")).order_by(key)
        after: object = None
        while True:
            page = query.limit(_ROWS_AT_ONCE) if after is None else query.where(key > after).limit(_ROWS_AT_ONCE)
            with transaction(engine) as connection:
                rows = connection.execute(page).all()
            yield from ((row.path, row.sha256, row.size, kind) for row in rows)
            if len(rows) < _ROWS_AT_ONCE:
                break
            after = rows[-1].key
