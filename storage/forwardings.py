"""The ledgers of originals and de-identified copies that go to other archives, and what is known of the ways there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, literal, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from storage.schema import destination_circuits, forwardings, instances
from triage.circuit import Circuit
from triage.errors import PermanentError, RetriableError
from triage.identifiers import SopInstanceUid, StudyInstanceUid
from triage.ports import SentOriginal, StoredOriginal

_KEYS = ("sop_instance_uid", "destination", "study_instance_uid", "state")


@dataclass(frozen=True, slots=True)
class ForwardingRows:
    """One of the two ledgers of images within one transaction; satisfies `triage.ports.ForwardingStore`."""

    connection: Connection
    ledger: Table = forwardings

    def plan(self, uid: StudyInstanceUid, destination: str) -> int:
        columns = (instances.c.sop_instance_uid, literal(destination), literal(uid), literal("planned"))
        every = select(*columns).where(instances.c.study_instance_uid == uid)
        planning = insert_or_skip(self.ledger).from_select(_KEYS, every).on_conflict_do_nothing()
        return len(self.connection.scalars(planning.returning(self.ledger.c.sop_instance_uid)).all())

    def waiting(self, uid: StudyInstanceUid, destination: str) -> Sequence[StoredOriginal]:
        rows = self.ledger
        query = (
            select(
                instances.c.sop_instance_uid,
                instances.c.image_header["sop_class_uid"].astext.label("sop_class_uid"),
                instances.c.transfer_syntax_uid,
                instances.c.path,
            )
            .join(rows, rows.c.sop_instance_uid == instances.c.sop_instance_uid)
            .where(
                rows.c.study_instance_uid == uid,
                rows.c.destination == destination,
                rows.c.state == "planned",
            )
            .order_by(instances.c.received_at, instances.c.sop_instance_uid)
        )
        return [StoredOriginal(*row) for row in self.connection.execute(query)]

    def note(self, sent: SentOriginal, destination: str, at: datetime) -> None:
        values: dict[str, Any] = {"sent_transfer_syntax_uid": sent.transfer_syntax_uid} | _outcome(sent.error, at)
        self._mark([sent.sop_instance_uid], destination, at, values)

    def note_all(
        self, uids: Sequence[SopInstanceUid], destination: str, error: RetriableError | PermanentError, at: datetime
    ) -> None:
        self._mark(uids, destination, at, _outcome(error, at))

    def _mark(self, uids: Sequence[str], destination: str, at: datetime, values: dict[str, Any]) -> None:
        rows = self.ledger
        where = (rows.c.sop_instance_uid.in_(uids), rows.c.destination == destination)
        tried = {"attempts": rows.c.attempts + 1, "last_try_at": at}
        self.connection.execute(update(rows).where(*where).values(values | tried))


@dataclass(frozen=True, slots=True)
class CircuitRows:
    """Circuits within one transaction; satisfies `triage.ports.CircuitStore`."""

    connection: Connection

    def get(self, destination: str) -> Circuit:
        query = select(destination_circuits).where(destination_circuits.c.destination == destination)
        row = self.connection.execute(query.with_for_update()).one_or_none()
        return Circuit(destination) if row is None else Circuit(*row)

    def save(self, circuit: Circuit) -> None:
        values = {name: getattr(circuit, name) for name in destination_circuits.c.keys()}
        adding = insert_or_skip(destination_circuits).values(values)
        self.connection.execute(adding.on_conflict_do_update(index_elements=["destination"], set_=values))


def _outcome(error: RetriableError | PermanentError | None, at: datetime) -> dict[str, Any]:
    if error is None:
        return {"state": "delivered", "delivered_at": at, "last_error": ""}
    return {"last_error": str(error)} | ({"state": "refused"} if isinstance(error, PermanentError) else {})
