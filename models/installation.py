"""Putting a bundle into the data folder: unpacked aside, proved, then put in place in one step or not at all."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from models.archive import unpack_bundle
from models.bundle import Bundle, load_bundle
from models.integrity import DIGESTS_FILE, seal
from models.signature import TrustedKey, require_signed
from models.strict_json import read_json_object
from models.triage_spec import SPEC_FILE
from triage.errors import TooBusy

_UNFINISHED = ".installing-"


def install_bundle(
    archive: Path, installed: Path, try_out: Callable[[Bundle], None], trusted: Sequence[TrustedKey] = ()
) -> Bundle:
    """Return the bundle of the zip `archive`, put in `installed`/NAME/VERSION-DIGEST; the same again changes nothing.

    A bundle without `configs/digests.json` is sealed as it is; with one, each file must be as it says. Where there are
    `trusted` keys, one of them has signed that list.

    Args:
        archive: what `unpack_bundle` takes.
        installed: the folder of installed bundles; made where it is not there.
        try_out: runs the model once, and raises where it does not do what its bundle says.

    Raises:
        InvalidBundle: the archive is refused, the bundle is not sound, or the model does not run. Nothing is left.
        StorageFull: the disk did not take it. TooBusy: another installation is under way.
    """
    with _unfinished_folder(installed) as aside:
        unpacked = aside / "bundle"
        unpack_bundle(archive, unpacked)
        name = read_json_object(unpacked / SPEC_FILE, SPEC_FILE).text("name")
        if not (unpacked / DIGESTS_FILE).is_file():
            seal(unpacked)
        if trusted:
            require_signed(unpacked, name, trusted)
        bundle = load_bundle(unpacked, name)
        target = installed / name / f"{bundle.spec.version}-{bundle.identity.digest[:12]}"
        if target.is_dir():
            return load_bundle(target, name)
        try_out(bundle)
        _make_durable(unpacked)
        target.parent.mkdir(exist_ok=True)
        unpacked.rename(target)
        _sync(target.parent)
        return load_bundle(target, name)


@contextmanager
def _unfinished_folder(installed: Path) -> Iterator[Path]:
    """Give a folder to work in that is gone afterwards; also those that a killed installation has left."""
    installed.mkdir(parents=True, exist_ok=True)
    with (installed / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TooBusy(f"{installed}: another installation is under way, one at a time is needed") from error
        for left in installed.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)
        aside = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=installed))
        try:
            yield aside
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _make_durable(folder: Path) -> None:
    """Write every file through to the disk and make it read-only: nobody changes what is registered by mistake."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
