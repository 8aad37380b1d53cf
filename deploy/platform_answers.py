"""`--on-platform`: the workers of the running platform answer for a validation that this process waits for."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from deploy.opened import database_of_platform
from deploy.settings import Settings
from storage.database import connect
from storage.validation_work import AskedOfWorkers, ValidationWork
from triage.errors import InvalidSetting
from triage.findings import ModelIdentity
from validation.answering import Answers, Question
from validation.answers import PixelChange
from validation.kept_answers import Record
from validation.labelled_images import Dataset
from validation.package_versions import package_versions

POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class PlatformWorkers:
    """Those who run `acuity work --queue validation`; satisfies `validation.answering.Answers`."""

    work: ValidationWork
    model: ModelIdentity
    device: str
    threads: int

    def answered(self, questions: Sequence[Question], dataset: Dataset, change: PixelChange | None) -> Iterator[Record]:
        """Yield the answers as they come; workers stop when the iterator is closed, or two minutes after its process.

        Raises:
            InvalidDataset: a worker cannot decode an image.
            NotAnswered: a worker cannot answer; the message says why.
            StoreUnavailable: the database went away.
        """
        assert change is None
        number = self.work.begin(self.asked_about(dataset), [one.study.study for one in questions])
        try:
            missing = len(questions)
            while missing:
                answers = self.work.fetch(number)
                yield from map(json.loads, answers)
                missing -= len(answers)
                if not answers:
                    time.sleep(POLL_S)
        finally:
            self.work.end(number)

    def asked_about(self, dataset: Dataset) -> AskedOfWorkers:
        """Return what workers must find, so that they answer as this process would."""
        return AskedOfWorkers(
            model=self.model,
            dataset=dataset.description.name,
            dataset_digest=dataset.digest,
            folder=str(dataset.folder.resolve()),
            device=self.device,
            threads=self.threads,
            versions=package_versions(),
        )


@contextmanager
def answering(on_platform: bool, model: ModelIdentity, device: str, settings: Settings) -> Iterator[Answers | None]:
    """Give the workers of the platform where they are to answer, and None where this process does.

    Raises:
        InvalidSetting: no platform runs, or its workers answer on another device.
    """
    if not on_platform:
        yield None
        return
    of_platform = settings.file.inference.device
    if device != of_platform:
        raise InvalidSetting(f"--device: found {device}, needed {of_platform}: inference.device of the platform")
    engine = connect(database_of_platform(settings))
    print("acuity: waiting for the workers of the platform (acuity work --queue validation)", file=sys.stderr)
    try:
        yield PlatformWorkers(ValidationWork(engine), model, device, settings.file.inference.threads)
    finally:
        engine.dispose()
