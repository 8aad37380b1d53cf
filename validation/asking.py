"""Asking a model about the studies of a set, here, in several processes or elsewhere; every answer is kept as soon as
it is there, so that what was stopped goes on."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from triage.errors import InvalidDataset
from validation.answering import Answering, Answers, Question, Subject
from validation.answering_processes import AnsweringProcesses
from validation.answers import PixelChange, StudyAnswer
from validation.kept_answers import Record, answer_from, read_kept
from validation.labelled_images import Dataset, LabelledStudy
from validation.package_versions import package_versions
from validation.training_overlap import unseen_by

Progress = Callable[[str, int, int], None]
"""Told what is asked, how many studies are done and how many there are; at first how many were kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The answers in the order of the studies, and the seconds that they took, now or when they were given.

    The seconds of all answers together, shared among the workers; loading the model is not among them.
    """

    answers: tuple[StudyAnswer, ...]
    seconds: float

    @property
    def refused(self) -> tuple[StudyAnswer, ...]:
        return tuple(one for one in self.answers if one.probability is None)


class Asker:
    """One model that is asked; its answers lie in `folder`, one file for each question."""

    def __init__(
        self,
        subject: Subject,
        folder: Path,
        progress: Progress,
        workers: int = 1,
        elsewhere: Answers | None = None,
    ) -> None:
        """Take what is asked; nothing is loaded before the first answer that is not there yet.

        More than one of the `workers` are processes of their own, which end with `close` or with this process. Those
        `elsewhere` answer what is asked about the set of the subject itself; what is altered stays here.
        """
        self.subject = subject
        self.n_kept = 0
        self._folder, self._progress, self._workers, self._elsewhere = folder, progress, workers, elsewhere
        self._members = unseen_by(subject.bundle, subject.dataset)
        self._answering: Answering | AnsweringProcesses | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(self._answering, AnsweringProcesses):
            self._answering.close()

    def ask(self, question: str, studies: Sequence[LabelledStudy], change: PixelChange | None = None) -> Asked:
        """Return the answers about `studies`, altered by `change`; `question` names the change and all its degrees.

        Raises:
            InvalidDataset: an image cannot be decoded, or the folder cannot be written.
            InvalidBundle: the weights do not load.
            ProviderUnavailable: the device is not there.
            NotAnswered: those elsewhere cannot answer.
        """
        return self.ask_of(question, self.subject.dataset, studies, change)

    def ask_of(
        self, question: str, dataset: Dataset, studies: Sequence[LabelledStudy], change: PixelChange | None = None
    ) -> Asked:
        """Return the answers about studies of another set; see `ask`."""
        path = self._path(question, dataset)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            kept = read_kept(path)
            kept = {one.study: kept[one.study] for one in studies if one.study in kept}
            self.n_kept += len(kept)
            self._progress(question, len(kept), len(studies))
            with path.open("a", encoding="utf-8") as file:
                for record in self._answered(dataset, [one for one in studies if one.study not in kept], change):
                    file.write(json.dumps(record) + "\n")
                    file.flush()
                    kept[str(record["study"])] = record
                    self._progress(question, len(kept), len(studies))
        except OSError as error:
            raise InvalidDataset(f"{path}: {error.strerror}, needed a place to keep answers") from error
        seconds = sum(float(str(one["seconds"])) for one in kept.values()) / self._workers
        return Asked(tuple(answer_from(study, kept[study.study]) for study in studies), seconds)

    def _answered(
        self, dataset: Dataset, studies: Sequence[LabelledStudy], change: PixelChange | None
    ) -> Iterator[Record]:
        if not studies:
            return iter(())
        is_own = dataset is self.subject.dataset
        questions = [Question(study, self._members.get(study.patient) if is_own else None) for study in studies]
        if self._elsewhere is not None and is_own and change is None:
            return self._elsewhere.answered(questions, dataset, change)
        if self._answering is None:
            self._answering = (
                Answering(self.subject, with_members=bool(self._members))
                if self._workers == 1
                else AnsweringProcesses(self.subject, bool(self._members), self._workers)
            )
        return self._answering.answered(questions, dataset, change)

    def _path(self, question: str, dataset: Dataset) -> Path:
        subject = self.subject
        versions = " ".join(package_versions().values())
        key = "\n".join(
            (subject.bundle.identity.digest, dataset.digest, subject.policy, str(subject.threads), versions, question)
        )
        name = "".join(one if one.isalnum() or one in ".-" else "-" for one in question)
        return self._folder / f"{name[:60]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.jsonl"
