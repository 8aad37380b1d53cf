"""`acuity work --queue validation`: a worker that answers for validations, with what live studies leave of the machine.

Who asks waits elsewhere, merges the answers and writes the report (`platform_answers`).
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from procrastinate import App, JobContext

from deploy.bundles import bundle_called
from deploy.file_headers import header_of_file
from deploy.jobs import BackOff, open_queue, run_worker
from deploy.process import process
from deploy.settings import Settings
from deploy.shadow_worker import LOWEST_PRIORITY
from storage.database import connect
from storage.validation_work import AskedOfWorkers, ValidationWork
from storage.work_queue import VALIDATION_QUEUE, VALIDATION_TASK
from triage.errors import InvalidDataset, NotAnswered, PermanentError, RetriableError, WorkerStops
from validation.answering import POLICIES, Answering, Question, Subject
from validation.datasets import load_dataset
from validation.labelled_images import Dataset, LabelledStudy
from validation.package_versions import package_versions
from validation.training_overlap import unseen_by

log = structlog.get_logger(__name__)

LIVE_POLL_S = 0.2
MOST_ATTEMPTS = 5
"""A batch that ends its worker, for want of memory perhaps, must not end one after the other for ever."""


def run(options: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT; a model is loaded when the first question comes."""
    os.nice(LOWEST_PRIORITY)
    with process(options, "work validation") as own:
        queue = open_queue(own.database_url)
        add_task(queue, ValidationWorker(ValidationWork(connect(own.database_url)), own.settings))
        log.info("working", queue=VALIDATION_QUEUE)
        asyncio.run(run_worker(queue, VALIDATION_QUEUE, at_once=1))
    return 0


@dataclass(frozen=True, slots=True)
class _Ready:
    """The model and the data set of one validation, loaded; studies by name, `members` as `unseen_by` says."""

    number: int
    dataset: Dataset
    studies: Mapping[str, LabelledStudy]
    members: Mapping[str, int]
    answering: Answering


class ValidationWorker:
    """Answers one batch after the other, and keeps the model of the last validation."""

    def __init__(self, work: ValidationWork, settings: Settings) -> None:
        """Load nothing yet."""
        self._work, self._settings = work, settings
        self._ready: _Ready | None = None

    def answer(self, number: int, studies: Sequence[str], is_stopping: Callable[[], bool]) -> None:
        """Keep an answer about each of `studies`, each when no live study waits; answers that are there stay.

        Raises:
            WorkerStops: this worker is told to stop.
            NotAnswered: bundle, data or versions here are not those that the validation is about.
            InvalidDataset: an image cannot be decoded.
            InvalidBundle: the bundle does not load.
            ProviderUnavailable: the device is not there.
            StoreUnavailable: the database did not answer.
        """
        for study in self._work.unanswered(number, studies):
            self._let_live_studies_pass(is_stopping)
            asked = self._work.asked(number)
            if asked is None:
                return
            ready = self._ready_for(number, asked)
            chosen = ready.studies[study]
            question = Question(chosen, ready.members.get(chosen.patient))
            (record,) = ready.answering.answered([question], ready.dataset, None)
            self._work.record(number, study, json.dumps(record))

    def fail(self, number: int, reason: str, wrong_input: bool = False) -> None:
        """Let whoever waits know why no worker answers."""
        self._work.fail(number, reason, wrong_input)

    def _let_live_studies_pass(self, is_stopping: Callable[[], bool]) -> None:
        while True:
            if is_stopping():
                raise WorkerStops("this worker stops, needed another one")
            if not self._work.live_studies_wait():
                return
            time.sleep(LIVE_POLL_S)

    def _ready_for(self, number: int, asked: AskedOfWorkers) -> _Ready:
        if self._ready is None or self._ready.number != number:
            self._ready = None
            self._ready = _loaded(number, asked, self._settings)
        return self._ready


def add_task(queue: App, worker: ValidationWorker) -> None:
    """Let workers of `queue` answer for validations; what one cannot answer ends the validation with the reason."""

    @queue.task(name=VALIDATION_TASK, queue=VALIDATION_QUEUE, retry=BackOff(), pass_context=True)
    def answer_studies(context: JobContext, validation: int, studies: list[str]) -> None:
        if context.job.attempts >= MOST_ATTEMPTS:
            worker.fail(validation, f"studies {', '.join(studies)}: given up after {MOST_ATTEMPTS} attempts")
            return
        try:
            worker.answer(validation, studies, context.should_abort)
        except NotAnswered as error:
            worker.fail(validation, f"a worker {error}")
        except InvalidDataset as error:
            worker.fail(validation, str(error), wrong_input=True)
        except RetriableError:
            raise
        except PermanentError as error:
            worker.fail(validation, f"a worker cannot answer: {error}")
        except Exception as error:
            log.exception("validation_failed", validation=validation)
            worker.fail(validation, f"a worker failed: unexpected {type(error).__name__}, its log says more")


def _loaded(number: int, asked: AskedOfWorkers, settings: Settings) -> _Ready:
    """Return what answers need, being the same here as where the validation was started.

    Raises:
        NotAnswered: it is not.
    """
    for name, found in package_versions().items():
        if found != asked.versions.get(name):
            raise NotAnswered(f"has {name} {found}, needed {asked.versions.get(name)} as where it was started")
    bundle = bundle_called(f"{asked.model.name}@{asked.model.digest}", settings)
    try:
        dataset = load_dataset(Path(asked.folder))
    except InvalidDataset as error:
        raise NotAnswered(f"does not see the data set: {error}") from error
    if dataset.digest != asked.dataset_digest:
        raise NotAnswered(f"finds the digest {dataset.digest} in {asked.folder}, needed {asked.dataset_digest}")
    studies, members = {one.study: one for one in dataset.studies}, unseen_by(bundle, dataset)
    subject = Subject(bundle, dataset, header_of_file, POLICIES[asked.device], asked.threads)
    return _Ready(number, dataset, studies, members, Answering(subject, with_members=bool(members)))
