"""The digest of a bundle: one SHA-256 over every file, so that no weight, threshold or word changes unnoticed."""

import hashlib
from pathlib import Path

from triage.errors import InvalidBundle
from triage.identifiers import Sha256


def bundle_digest(folder: Path) -> Sha256:
    """Return the SHA-256 over the lines "path<TAB>sha256<LF>" of all files of `folder`, sorted by path.

    Paths are relative, with "/" on every system. Folders named `__pycache__` are not part of a bundle.

    Raises:
        InvalidBundle: a file is a symbolic link, which could point outside the bundle, or there is none.
    """
    digest = hashlib.sha256()
    for path, sha256 in file_digests(folder):
        digest.update(f"{path}\t{sha256}\n".encode())
    return Sha256(digest.hexdigest())


def file_digests(folder: Path) -> tuple[tuple[str, Sha256], ...]:
    """Return (relative path, SHA-256) of every file of `folder`, sorted by path."""
    found = []
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_symlink():
            raise InvalidBundle(f"{folder.name}/{relative.as_posix()}: symbolic link, needed a file")
        if path.is_file() and "__pycache__" not in relative.parts:
            found.append((relative.as_posix(), _sha256(path)))
    if not found:
        raise InvalidBundle(f"{folder.name}: no files, needed a bundle")
    return tuple(sorted(found))


def _sha256(path: Path) -> Sha256:
    with path.open("rb") as file:
        return Sha256(hashlib.file_digest(file, "sha256").hexdigest())
