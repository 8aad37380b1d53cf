"""Storage commitment as rows: what peers ask of us, and what we ask of destinations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import ColumnElement, Engine, Update, func, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.completion_signals import announce
from storage.schema import instances
from storage.schema_of_announcements import announced_instances, commitment_requests, confirmations
from storage.transaction import transaction
from storage.work_queue import JobRows
from triage.commitment import Commitment, Reference
from triage.completion import CompletionSignal


@dataclass(frozen=True, slots=True)
class KeptFile:
    """What was received of one instance; `sha256` is of the data set."""

    sop_class_uid: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Asking:
    """One delivered instance that a destination is to confirm."""

    reference: Reference
    transaction_uid: str
    state: str
    planned_at: datetime
    asked_at: datetime | None


@dataclass(frozen=True, slots=True)
class CommitmentRows:
    """Each call is a transaction of its own; raises StoreUnavailable when the database does not answer."""

    engine: Engine

    def requested(self, ae_title: str, host: str, transaction_uid: str, references: Sequence[Reference]) -> None:
        """Keep a request with its references and the job that reports on it; the same again is reported again."""
        values = {"ae_title": ae_title, "transaction_uid": transaction_uid, "host": host, "state": "planned"}
        request = insert(commitment_requests).values(**values, requested_at=func.now())
        with transaction(self.engine) as connection:
            keys = ["ae_title", "transaction_uid"]
            connection.execute(request.on_conflict_do_update(index_elements=keys, set_={"state": "planned"}))
            announce(
                connection, CompletionSignal.STORAGE_COMMITMENT, _announcement(ae_title, transaction_uid), references
            )
            JobRows(connection).defer_commitment(ae_title, transaction_uid)

    def to_report(self, ae_title: str, transaction_uid: str) -> tuple[Reference, ...]:
        """Return what a request that was not reported on names; nothing where there is no such request."""
        wanted = select(commitment_requests.c.state).where(*_is_request(ae_title, transaction_uid))
        named = select(announced_instances).where(
            announced_instances.c.announcement == _announcement(ae_title, transaction_uid)
        )
        with transaction(self.engine) as connection:
            if connection.execute(wanted).scalar_one_or_none() != "planned":
                return ()
            rows = connection.execute(named.order_by(announced_instances.c.sop_instance_uid))
            return tuple(Reference(row.sop_class_uid, row.sop_instance_uid) for row in rows)

    def kept(self, references: Sequence[Reference]) -> dict[str, KeptFile]:
        """Return what was received of the referenced instances, by SOP Instance UID."""
        columns = (instances.c.sop_instance_uid, instances.c.path, instances.c.sha256)
        query = select(*columns, instances.c.image_header["sop_class_uid"].astext.label("sop_class_uid")).where(
            instances.c.sop_instance_uid == func.any([one.sop_instance_uid for one in references])
        )
        with transaction(self.engine) as connection:
            rows = connection.execute(query)
            return {row.sop_instance_uid: KeptFile(row.sop_class_uid, row.path, row.sha256) for row in rows}

    def reported(self, ae_title: str, answer: Commitment) -> None:
        """Note that the peer has taken the report."""
        values = {"state": "reported", "reported_at": func.now(), "failed": len(answer.failed), "last_error": ""}
        self._run(update(commitment_requests).where(*_is_request(ae_title, answer.transaction_uid)).values(values))

    def not_taken(self, ae_title: str, transaction_uid: str, reason: str) -> None:
        """Note that the peer does not take the report; a person must look at it."""
        values = {"state": "refused", "reported_at": func.now(), "last_error": reason}
        self._run(update(commitment_requests).where(*_is_request(ae_title, transaction_uid)).values(values))

    def asking(self, sop_instance_uid: str, destination: str) -> Asking:
        """Return how far the confirmation of one delivery is."""
        query = select(confirmations).where(*_is_confirmation(sop_instance_uid, destination))
        with transaction(self.engine) as connection:
            row = connection.execute(query).one()
        reference = Reference(row.sop_class_uid, row.sop_instance_uid)
        return Asking(reference, row.transaction_uid, row.state, row.planned_at, row.asked_at)

    def begin_to_ask(self, sop_instance_uid: str, destination: str) -> str:
        """Return a new Transaction UID by which the destination may answer from now on."""
        uid = f"2.25.{uuid4().int}"
        values = {"transaction_uid": uid, "state": "asked", "asked_at": func.now()}
        self._run(update(confirmations).where(*_is_confirmation(sop_instance_uid, destination)).values(values))
        return uid

    def refused(self, sop_instance_uid: str, destination: str, reason: str) -> None:
        """Note that the destination does not confirm the instance, unless it has answered meanwhile."""
        where = (*_is_confirmation(sop_instance_uid, destination), confirmations.c.answered_at.is_(None))
        values = {"state": "refused", "reason": reason, "answered_at": func.now()}
        self._run(update(confirmations).where(*where).values(values))

    def answered(self, answer: Commitment) -> bool:
        """Keep what a destination says; False where nothing was asked by this Transaction UID."""
        said = {one.sop_instance_uid: ("confirmed", "") for one in answer.committed}
        said |= {one.sop_instance_uid: ("refused", f"not committed, reason {why:04X}H") for one, why in answer.failed}
        asked = confirmations.c.transaction_uid == answer.transaction_uid
        with transaction(self.engine) as connection:
            uid = connection.execute(select(confirmations.c.sop_instance_uid).where(asked)).scalar_one_or_none()
            if uid is None or uid not in said:
                return False
            state, reason = said[uid]
            values = {"state": state, "reason": reason, "answered_at": func.now()}
            connection.execute(update(confirmations).where(asked).values(values))
        return True

    def _run(self, statement: Update) -> None:
        with transaction(self.engine) as connection:
            connection.execute(statement)


def _announcement(ae_title: str, transaction_uid: str) -> str:
    return f"{transaction_uid} {ae_title}"


def _is_request(ae_title: str, transaction_uid: str) -> tuple[ColumnElement[bool], ...]:
    return (commitment_requests.c.ae_title == ae_title, commitment_requests.c.transaction_uid == transaction_uid)


def _is_confirmation(sop_instance_uid: str, destination: str) -> tuple[ColumnElement[bool], ...]:
    return (confirmations.c.sop_instance_uid == sop_instance_uid, confirmations.c.destination == destination)
