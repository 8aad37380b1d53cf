"""A folder that is there completely or not at all."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from triage.errors import InvalidDataset


@contextmanager
def written_whole(out: Path, is_earlier_result: Callable[[Path], bool]) -> Iterator[Path]:
    """Hand out a folder beside `out` to write to, which becomes `out` at the end; after an error nothing stays.

    Args:
        out: absent, empty, or a folder for which `is_earlier_result` holds; that one is replaced.
        is_earlier_result: whether a folder holds what the same command wrote before, and nothing else.

    Raises:
        InvalidDataset: `out` holds something else, or cannot be written.
    """
    # A link is followed, so that its target is replaced and the link stays.
    out = out.resolve()
    require_free(out, is_earlier_result)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        unfinished = out.with_name(f".{out.name}.unfinished-{os.getpid()}")
        unfinished.mkdir()
    except OSError as error:
        raise InvalidDataset(f"{out}: {error.strerror}, needed a place to write to") from error
    try:
        yield unfinished
        require_free(out, is_earlier_result)
        _put_in_place(unfinished, out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def require_free(out: Path, is_earlier_result: Callable[[Path], bool]) -> None:
    """Raise InvalidDataset when `out` is a file, or a folder with other things than an earlier result."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InvalidDataset(f"{out}: a file, needed a new or an empty folder")
    if any(out.iterdir()) and not is_earlier_result(out):
        raise InvalidDataset(f"{out}: holds other files, needed a new or an empty folder, or an earlier result")


def _put_in_place(unfinished: Path, out: Path) -> None:
    replaced = out.with_name(f".{out.name}.replaced-{os.getpid()}")
    if out.exists():
        out.rename(replaced)
    try:
        unfinished.rename(out)
    except OSError:
        if replaced.exists():
            replaced.rename(out)
        raise
    shutil.rmtree(replaced, ignore_errors=True)
