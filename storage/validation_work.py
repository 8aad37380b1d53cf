"""Validations that workers of the platform answer, in batches that are jobs; nothing of one stays when it ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Engine, delete, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from models.evidence import RunningValidation
from storage.schema_of_validation import running_validations, validation_answers
from storage.transaction import transaction
from storage.work_queue import JobRows
from triage.errors import InvalidDataset, NotAnswered
from triage.findings import ModelIdentity

BATCH_STUDIES = 4
FETCHED_EVERY, FORGOTTEN_AFTER = timedelta(minutes=1), timedelta(minutes=2)
"""Whoever has not fetched answers for so long gets no more; after the second, workers do not answer any more.

The first is shorter: who may still fetch knows that no worker has let a batch go yet.
"""

_ASKED, _ANSWERS = running_validations.c, validation_answers.c


@dataclass(frozen=True, slots=True)
class AskedOfWorkers:
    """What is asked about the data set in `folder`, and what an answer depends on beside it."""

    model: ModelIdentity
    dataset: str
    dataset_digest: str
    folder: str
    device: str
    threads: int
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ValidationWork:
    """What is asked and answered, each call in a transaction of its own."""

    engine: Engine

    def begin(self, asked: AskedOfWorkers, studies: Sequence[str]) -> int:
        """Ask about `studies`, and return the number of the validation; its jobs come with its row."""
        values = {
            "model_name": asked.model.name,
            "model_version": asked.model.version,
            "model_digest": asked.model.digest,
            "dataset": asked.dataset,
            "dataset_digest": asked.dataset_digest,
            "folder": asked.folder,
            "device": asked.device,
            "threads": asked.threads,
            "versions": asked.versions,
            "n_studies": len(studies),
        }
        with transaction(self.engine) as connection:
            connection.execute(delete(running_validations).where(~_is_awaited()))
            number: int = connection.execute(
                insert(running_validations).values(values).returning(_ASKED.id)
            ).scalar_one()
            jobs = JobRows(connection)
            for first in range(0, len(studies), BATCH_STUDIES):
                jobs.defer_answers(number, studies[first : first + BATCH_STUDIES])
        return number

    def fetch(self, number: int) -> Sequence[str]:
        """Return the answers that have come since the last call, and show that somebody waits for the others.

        Raises:
            InvalidDataset: a worker cannot decode an image.
            NotAnswered: a worker cannot answer for another reason, or nobody fetched for too long.
        """
        new = (
            update(validation_answers)
            .where(_ANSWERS.validation == number, ~_ANSWERS.fetched)
            .values(fetched=True)
            .returning(_ANSWERS.answer)
        )
        awaited = (
            update(running_validations)
            .where(_ASKED.id == number, _is_awaited(FETCHED_EVERY))
            .values(awaited_at=func.now())
            .returning(_ASKED.failure, _ASKED.wrong_input)
        )
        with transaction(self.engine) as connection:
            row = connection.execute(awaited).one_or_none()
            if row is None:
                raise NotAnswered("nobody fetched answers for a minute, and the workers go: ask again to go on")
            if row.failure:
                raise InvalidDataset(row.failure) if row.wrong_input else NotAnswered(row.failure)
            return connection.execute(new).scalars().all()

    def end(self, number: int) -> None:
        """Forget a validation; its jobs that still wait will find nothing to do."""
        with transaction(self.engine) as connection:
            connection.execute(delete(running_validations).where(_ASKED.id == number))

    def asked(self, number: int) -> AskedOfWorkers | None:
        """Return what a validation asks, None where nobody waits for an answer any more."""
        query = select(running_validations).where(_ASKED.id == number, _ASKED.failure == "", _is_awaited())
        with transaction(self.engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        model = ModelIdentity(row.model_name, row.model_version, row.model_digest)
        return AskedOfWorkers(
            model, row.dataset, row.dataset_digest, row.folder, row.device, row.threads, row.versions
        )  # fmt: skip

    def unanswered(self, number: int, studies: Sequence[str]) -> Sequence[str]:
        """Return those of `studies` that have no answer yet, in their order."""
        query = select(_ANSWERS.study).where(_ANSWERS.validation == number, _ANSWERS.study.in_(studies))
        with transaction(self.engine) as connection:
            answered = set(connection.execute(query).scalars())
        return [study for study in studies if study not in answered]

    def record(self, number: int, study: str, answer: str) -> None:
        """Keep an answer; a second one to the same question, and one that nobody waits for, change nothing."""
        # The row is locked: it does not go between being found and being referred to.
        known = select(_ASKED.id, literal(study), literal(answer)).where(_ASKED.id == number)
        columns = (_ANSWERS.validation, _ANSWERS.study, _ANSWERS.answer)
        adding = insert_or_skip(validation_answers).from_select(
            columns, known.with_for_update(read=True, key_share=True)
        )
        with transaction(self.engine) as connection:
            connection.execute(adding.on_conflict_do_nothing())

    def fail(self, number: int, reason: str, wrong_input: bool = False) -> None:
        """Let whoever waits know that no worker will answer, by fault of the input or not; the first reason stays."""
        failing = update(running_validations).where(_ASKED.id == number, _ASKED.failure == "")
        with transaction(self.engine) as connection:
            connection.execute(failing.values(failure=reason, wrong_input=wrong_input))

    def live_studies_wait(self) -> bool:
        """Return whether a live study waits for its analysis or is being analysed now."""
        with transaction(self.engine) as connection:
            return JobRows(connection).has_live_work()


def validations_under_way(engine: Engine) -> Sequence[RunningValidation]:
    """Return the validations that are being answered, the newest first."""
    answered = (
        select(func.count()).where(_ANSWERS.validation == _ASKED.id).correlate(running_validations).scalar_subquery()
    )
    query = select(running_validations, answered.label("n_answered")).where(_is_awaited()).order_by(_ASKED.id.desc())
    with transaction(engine) as connection:
        rows = connection.execute(query).all()
    return [
        RunningValidation(
            model=ModelIdentity(row.model_name, row.model_version, row.model_digest),
            dataset=row.dataset,
            device=row.device,
            started_at=row.started_at,
            n_studies=row.n_studies,
            n_answered=row.n_answered,
        )
        for row in rows
    ]


def _is_awaited(within: timedelta = FORGOTTEN_AFTER) -> ColumnElement[bool]:
    return _ASKED.awaited_at > func.now() - within
