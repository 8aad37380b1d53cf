"""SHA-256 of every file of a bundle: what it is known by, and what it is held against before it may run."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from models.strict_json import read_json_object
from triage.errors import InvalidBundle
from triage.identifiers import Sha256

DIGESTS_FILE = "configs/digests.json"
"""The list of all other files with their SHA-256; it stands in no digest, since it holds them."""

SIGNATURE_FILE = "configs/digests.sig"
"""The signature of that list, where there is one; in no digest either."""

FileDigests = tuple[tuple[str, Sha256], ...]
"""(relative path with "/", SHA-256) of each file, sorted by path."""

_APART = (DIGESTS_FILE, SIGNATURE_FILE)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def bundle_digest(folder: Path) -> Sha256:
    """Return the digest of the bundle in `folder`, as `digest_of` makes it from the files as they are now.

    Raises:
        InvalidBundle: a file is a symbolic link, which could point outside the bundle, or there is none.
    """
    return digest_of(file_digests(folder))


def digest_of(files: FileDigests) -> Sha256:
    """Return the SHA-256 over the lines "path<TAB>sha256<LF>" of `files`."""
    lines = "".join(f"{path}\t{sha256}\n" for path, sha256 in files)
    return Sha256(hashlib.sha256(lines.encode()).hexdigest())


def file_digests(folder: Path) -> FileDigests:
    """Return the SHA-256 of every file of `folder`, but for the list of digests, its signature, and `__pycache__`.

    Raises:
        InvalidBundle: a file is a symbolic link, or there is none.
    """
    found = []
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_symlink():
            raise InvalidBundle(f"{folder.name}/{relative.as_posix()}: symbolic link, needed a file")
        if path.is_file() and "__pycache__" not in relative.parts and relative.as_posix() not in _APART:
            found.append((relative.as_posix(), _sha256(path)))
    if not found:
        raise InvalidBundle(f"{folder.name}: no files, needed a bundle")
    return tuple(sorted(found))


def seal(folder: Path) -> FileDigests:
    """Write `configs/digests.json` for the files of `folder` as they are now, and return what it says.

    A signature of the list before goes: it would be wrong.
    """
    files = file_digests(folder)
    path = folder / DIGESTS_FILE
    path.parent.mkdir(exist_ok=True)
    (folder / SIGNATURE_FILE).unlink(missing_ok=True)
    path.write_text(json.dumps({"sha256": dict(files)}, indent=2) + "\n", encoding="utf-8")
    return files


def sealed_digests(folder: Path) -> FileDigests:
    """Return what `configs/digests.json` says.

    Raises:
        InvalidBundle: the file is absent, or is not a list of paths with their SHA-256.
    """
    fields = read_json_object(folder / DIGESTS_FILE, f"{folder.name}/{DIGESTS_FILE}")
    fields.only("sha256")
    listed = fields.object("sha256")
    for path, sha256 in listed.values.items():
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise listed.wrong(path, sha256, "64 hexadecimal digits in lower case")
    return tuple(sorted((path, Sha256(str(sha256))) for path, sha256 in listed.values.items()))


def differences(found: FileDigests, needed: FileDigests) -> tuple[str, ...]:
    """Return one line for each file that is absent, changed or not listed, naming the file; none when all is well."""
    there: Mapping[str, Sha256] = dict(found)
    wanted: Mapping[str, Sha256] = dict(needed)
    changed = [path for path in there.keys() & wanted.keys() if there[path] != wanted[path]]
    lines = [f"{path}: absent, needed" for path in wanted.keys() - there.keys()]
    lines += [f"{path}: SHA-256 {there[path][:12]}…, needed {wanted[path][:12]}…" for path in changed]
    lines += [f"{path}: not listed, needed only listed files" for path in there.keys() - wanted.keys()]
    return tuple(sorted(lines))


def require_same(name: str, found: FileDigests, needed: FileDigests) -> None:
    """Raise InvalidBundle that names the first file of the bundle `name` that is not what is needed."""
    if lines := differences(found, needed):
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        raise InvalidBundle(f"{name}/{lines[0]}{more}")


def _sha256(path: Path) -> Sha256:
    with path.open("rb") as file:
        return Sha256(hashlib.file_digest(file, "sha256").hexdigest())
