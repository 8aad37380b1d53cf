"""Questions about studies, and one process that answers them, one after the other."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from inference.analyser import BundleAnalyser
from inference.runtime import ProviderPolicy
from models.bundle import Bundle
from validation.answers import HeaderReader, PixelChange, answer
from validation.kept_answers import Record, record_of
from validation.labelled_images import Dataset, LabelledStudy

POLICIES = {"cpu": ProviderPolicy.CPU_ONLY, "cuda": ProviderPolicy.REQUIRE_GPU}


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about what, and with which means."""

    bundle: Bundle
    dataset: Dataset
    header_of: HeaderReader
    policy: ProviderPolicy
    threads: int

    @property
    def unit(self) -> str:
        """What a case is: a study where there are studies of both kinds, else an image."""
        return "study" if len({study.label for study in self.dataset.studies}) == 2 else "image"


@dataclass(frozen=True, slots=True)
class Question:
    """A study, and which network of the cross-validation answers about it; None: the model as it is in service."""

    study: LabelledStudy
    member: int | None


class Answers(Protocol):
    """Those who answer: this process, several, or workers on other machines."""

    def answered(self, questions: Sequence[Question], dataset: Dataset, change: PixelChange | None) -> Iterator[Record]:
        """Yield the answers as they come, in any order."""


class Answering:
    """The model of a subject, loaded and warm."""

    def __init__(self, subject: Subject, with_members: bool) -> None:
        """Load the model.

        Raises:
            InvalidBundle: the weights do not load.
            ProviderUnavailable: the device is not there.
        """
        self._subject = subject
        self._analyser = BundleAnalyser((subject.bundle,), subject.policy, subject.threads, with_members=with_members)
        self._analyser.warm_up()

    def answered(self, questions: Sequence[Question], dataset: Dataset, change: PixelChange | None) -> Iterator[Record]:
        """Yield the answer to each question in its turn; raises InvalidDataset where an image cannot be decoded."""
        subject = self._subject
        for one in questions:
            started = time.perf_counter()
            given = answer(
                one.study, dataset, subject.bundle, self._analyser, subject.header_of, one.member, change
            )  # fmt: skip
            yield record_of(given, time.perf_counter() - started)
