"""Asking a model about the studies of a set, again and again; every answer is kept, so that a stopped suite goes on."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from inference.analyser import BundleAnalyser
from inference.runtime import ProviderPolicy
from models.bundle import Bundle
from triage.errors import InvalidDataset
from triage.findings import Mask
from triage.identifiers import SopInstanceUid
from validation.answers import HeaderReader, ImageAnswer, PixelChange, StudyAnswer, answer
from validation.labelled_images import Dataset, LabelledStudy
from validation.run import unseen_by
from validation.statistics.scored_cases import ScoredCases

Progress = Callable[[str, int, int], None]
"""Told what is asked, how many studies are done and how many there are."""


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
class Asked:
    """The answers in the order of the studies, and the seconds that asking took, now or when it was done."""

    answers: tuple[StudyAnswer, ...]
    seconds: float

    @property
    def refused(self) -> tuple[StudyAnswer, ...]:
        return tuple(one for one in self.answers if one.probability is None)


class Asker:
    """One model that is asked; its answers lie in `folder`, one file for each question."""

    def __init__(self, subject: Subject, folder: Path, progress: Progress) -> None:
        """Take what is asked; nothing is loaded before the first answer that is not there yet."""
        self.subject = subject
        self.n_kept = 0
        self._folder, self._progress = folder, progress
        self._members: Mapping[str, int] = unseen_by(subject.bundle, subject.dataset)
        self._analyser: BundleAnalyser | None = None

    def ask(self, question: str, studies: Sequence[LabelledStudy], change: PixelChange | None = None) -> Asked:
        """Return the answers about `studies`, altered by `change`; `question` names the change and all its degrees.

        Raises:
            InvalidDataset: an image cannot be decoded, or the folder cannot be written.
            InvalidBundle: the weights do not load.
            ProviderUnavailable: the device is not there.
        """
        return self.ask_of(question, self.subject.dataset, studies, change)

    def ask_of(
        self, question: str, dataset: Dataset, studies: Sequence[LabelledStudy], change: PixelChange | None = None
    ) -> Asked:
        """Return the answers about studies of another set; see `ask`."""
        path = self._path(question, dataset)
        kept = _read_kept(path)
        answers, seconds = [], 0.0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                for number, study in enumerate(studies, start=1):
                    if record := kept.get(study.study):
                        self.n_kept += 1
                    else:
                        record = self._answered(study, dataset, change)
                        file.write(json.dumps(record) + "\n")
                        file.flush()
                    answers.append(_restored(study, record))
                    seconds += float(str(record["seconds"]))
                    self._progress(question, number, len(studies))
        except OSError as error:
            raise InvalidDataset(f"{path}: {error.strerror}, needed a place to keep answers") from error
        return Asked(tuple(answers), seconds)

    def _answered(self, study: LabelledStudy, dataset: Dataset, change: PixelChange | None) -> dict[str, object]:
        if self._analyser is None:
            self._analyser = BundleAnalyser(
                (self.subject.bundle,), self.subject.policy, self.subject.threads, with_members=bool(self._members)
            )
            self._analyser.warm_up()
        subject = self.subject
        member = self._members.get(study.patient) if dataset is subject.dataset else None
        started = time.perf_counter()
        given = answer(study, dataset, subject.bundle, self._analyser, subject.header_of, member, change)
        return _record(given, time.perf_counter() - started)

    def _path(self, question: str, dataset: Dataset) -> Path:
        subject = self.subject
        key = "\n".join(
            (subject.bundle.identity.digest, dataset.digest, subject.policy, str(subject.threads), question)
        )
        name = "".join(one if one.isalnum() or one in ".-" else "-" for one in question)
        return self._folder / f"{name[:60]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.jsonl"


def cases_of(answers: Sequence[StudyAnswer], unit: str) -> ScoredCases:
    """Return the answered studies, or their images with a label, as cases clustered by patient."""
    rows: list[tuple[str, bool, float, str]] = []
    for one in answers:
        if unit == "study" and one.probability is not None:
            rows.append((one.study.study, bool(one.study.label), one.probability, one.study.patient))
        elif unit == "image":
            rows += [
                (image.name, bool(image.image.label), image.probability, image.image.patient)
                for image in one.images
                if image.image.label is not None
            ]
    return ScoredCases(
        names=tuple(row[0] for row in rows),
        truth=np.array([row[1] for row in rows], dtype=np.bool_),
        scores=np.array([row[2] for row in rows], dtype=np.float64),
        clusters=tuple(row[3] for row in rows),
    )


def common_cases(first: ScoredCases, second: ScoredCases) -> tuple[ScoredCases, ScoredCases]:
    """Return the cases that both hold, in one order."""
    names = [name for name in first.names if name in set(second.names)]
    return _chosen(first, names), _chosen(second, names)


def subset(dataset: Dataset, positive: int, negative: int, seed: int) -> tuple[LabelledStudy, ...]:
    """Return so many studies of each kind, as far as there are; the same seed chooses the same ones."""

    def place(study: LabelledStudy) -> str:
        return hashlib.sha256(f"{seed} {study.study}".encode()).hexdigest()

    kinds = [sorted((one for one in dataset.studies if one.label is label), key=place) for label in (True, False)]
    chosen = {one.study for kind, count in zip(kinds, (positive, negative), strict=True) for one in kind[:count]}
    return tuple(one for one in dataset.studies if one.study in chosen)


def _chosen(cases: ScoredCases, names: Sequence[str]) -> ScoredCases:
    places = {name: number for number, name in enumerate(cases.names)}
    order = [places[name] for name in names]
    clusters = cases.clusters or cases.names
    return replace(
        cases,
        names=tuple(names),
        truth=cases.truth[order],
        scores=cases.scores[order],
        clusters=tuple(clusters[one] for one in order),
    )


def _record(given: StudyAnswer, seconds: float) -> dict[str, object]:
    places = {image.name: number for number, image in enumerate(given.study.images)}
    images = [
        [places[one.image.name], one.name, one.probability, asdict(one.outline) if one.outline else None]
        for one in given.images
    ]
    return {
        "study": given.study.study,
        "probability": given.probability,
        "images": images,
        "refusal": given.refusal,
        "notes": given.notes,
        "provider": given.provider,
        "seconds": seconds,
    }


def _restored(study: LabelledStudy, record: Mapping[str, object]) -> StudyAnswer:
    images, notes, probability = record["images"], record["notes"], record["probability"]
    assert isinstance(images, list)
    assert isinstance(notes, list | tuple)
    return StudyAnswer(
        study=study,
        probability=probability if isinstance(probability, float) else None,
        images=tuple(
            ImageAnswer(study.images[place], name, score, _mask(outline)) for place, name, score, outline in images
        ),
        refusal=str(record["refusal"]),
        notes=tuple(map(str, notes)),
        provider=str(record["provider"]),
    )


def _mask(outline: Mapping[str, object] | None) -> Mask | None:
    if outline is None:
        return None
    frame = outline["frame_number"]
    return Mask(
        SopInstanceUid(str(outline["sop_instance_uid"])),
        int(str(outline["rows"])),
        int(str(outline["columns"])),
        str(outline["packed"]),
        frame if isinstance(frame, int) else None,
    )


def _read_kept(path: Path) -> dict[str, dict[str, object]]:
    """Return the answers that were written whole; a last line that was cut off is taken away."""
    if not path.exists():
        return {}
    whole, kept = 0, {}
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        whole += len(line)
        record = json.loads(line)
        kept[str(record["study"])] = record
    with path.open("r+b") as file:
        file.truncate(whole)
    return kept
