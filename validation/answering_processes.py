"""Several processes that answer questions about studies, each with a model of its own."""

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

from triage.errors import WorkerLost
from validation.answering import Answering, Question, Subject
from validation.answers import PixelChange
from validation.kept_answers import Record
from validation.labelled_images import Dataset

_answering: Answering | None = None
"""Of a worker's process: loaded by its first question, because an error at its start would not reach the parent."""


class AnsweringProcesses:
    """Workers that start with the first question, and end with `close` or when the process that asks is gone.

    They are spawned, not forked: the threads of a loaded model do not survive a fork.
    """

    def __init__(self, subject: Subject, with_members: bool, workers: int) -> None:
        """Take what each worker needs; a worker needs no study before it is asked about one."""
        self._subject, self._with_members = replace(subject, dataset=_bare(subject.dataset)), with_members
        self._pool = ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent
        )

    def answered(self, questions: Sequence[Question], dataset: Dataset, change: PixelChange | None) -> Iterator[Record]:
        """Yield the answers as they come; questions that nobody waits for any more end with `close`.

        Raises:
            InvalidDataset: an image cannot be decoded.
            InvalidBundle: the weights do not load.
            ProviderUnavailable: the device is not there.
            WorkerLost: a worker was killed.
        """
        bare, futures = _bare(dataset), list[Future[Record]]()
        try:
            for one in questions:
                futures.append(self._pool.submit(_answer, self._subject, self._with_members, one, bare, change))
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise WorkerLost("a worker ended before it answered, needed memory perhaps: ask again to go on") from error

    def close(self) -> None:
        """End the workers, after the studies that they are at."""
        self._pool.shutdown(cancel_futures=True)


def _bare(dataset: Dataset) -> Dataset:
    """Return what an answer needs of a data set beside its study: thousands of studies need not travel with each."""
    return replace(dataset, studies=(), unlabelled=())


def _end_with_parent() -> None:
    """Have this worker end when the process that started it does, even when that is killed."""
    threading.Thread(target=_await_parent, daemon=True).start()


def _await_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _answer(
    subject: Subject, with_members: bool, question: Question, dataset: Dataset, change: PixelChange | None
) -> Record:
    global _answering
    if _answering is None:
        _answering = Answering(subject, with_members)
    (record,) = _answering.answered([question], dataset, change)
    return record
