"""What the rules decided, and the originals on their way, as rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, literal, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from storage.rows import from_json, to_json
from storage.schema import forwardings, instances, routings, studies
from storage.transaction import transaction
from triage.identifiers import Sha256, SopInstanceUid, StudyInstanceUid
from triage.ports import Original
from triage.rules import Routing
from triage.study import StoredFile


@dataclass(frozen=True, slots=True)
class RoutingRows:
    """Decisions and forwardings within one transaction; satisfies `triage.ports.RoutingStore`."""

    connection: Connection

    def record(self, uid: StudyInstanceUid, revision: int, routing: Routing, at: datetime) -> None:
        values = {"study_instance_uid": uid, "revision": revision, "decided_at": at, "routing": to_json(routing)}
        statement = insert_or_skip(routings).values(values)
        changed = {"decided_at": statement.excluded.decided_at, "routing": statement.excluded.routing}
        keys = ["study_instance_uid", "revision"]
        self.connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))

    def routing_of(self, uid: StudyInstanceUid, revision: int) -> Routing:
        query = select(routings.c.routing).where(routings.c.study_instance_uid == uid, routings.c.revision == revision)
        found = self.connection.execute(query).scalar_one_or_none()
        return Routing() if found is None else from_json(Routing, found)

    def plan_forwarding(self, uid: StudyInstanceUid, destination: str) -> int:
        every = select(
            instances.c.sop_instance_uid, literal(destination), instances.c.study_instance_uid, literal("planned")
        ).where(instances.c.study_instance_uid == uid)
        columns = ["sop_instance_uid", "destination", "study_instance_uid", "state"]
        planning = insert_or_skip(forwardings).from_select(columns, every).on_conflict_do_nothing()
        return len(self.connection.execute(planning.returning(forwardings.c.sop_instance_uid)).all())

    def waiting_originals(self, uid: StudyInstanceUid, destination: str) -> Sequence[Original]:
        query = (
            select(instances)
            .join(forwardings, forwardings.c.sop_instance_uid == instances.c.sop_instance_uid)
            .where(
                forwardings.c.study_instance_uid == uid,
                forwardings.c.destination == destination,
                forwardings.c.state == "planned",
            )
            .order_by(instances.c.series_instance_uid, instances.c.sop_instance_uid)
        )
        return [
            Original(
                SopInstanceUid(row.sop_instance_uid),
                row.image_header["sop_class_uid"],
                StoredFile(Sha256(row.sha256), row.size, row.path, row.transfer_syntax_uid),
            )
            for row in self.connection.execute(query)
        ]

    def mark_forwarded(self, uid: SopInstanceUid, destination: str, at: datetime, refusal: str = "") -> None:
        state = "refused" if refusal else "delivered"
        values = {"state": state, "last_error": refusal, "forwarded_at": None if refusal else at}
        where = (forwardings.c.sop_instance_uid == uid, forwardings.c.destination == destination)
        self.connection.execute(update(forwardings).where(*where).values(values))


def studies_since(engine: Engine, since: datetime) -> Sequence[StudyInstanceUid]:
    """Return the studies that arrived since then, oldest first."""
    query = select(studies.c.study_instance_uid).where(studies.c.received_at >= since)
    with transaction(engine) as connection:
        found = connection.scalars(query.order_by(studies.c.received_at, studies.c.study_instance_uid))
        return [StudyInstanceUid(uid) for uid in found]
