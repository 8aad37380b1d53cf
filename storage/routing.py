"""What the rules decided, and the originals on their way, as rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from storage.rows import from_json, to_json
from storage.schema import routings, studies
from storage.transaction import transaction
from triage.identifiers import StudyInstanceUid
from triage.rules import Routing


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


def studies_since(engine: Engine, since: datetime) -> Sequence[StudyInstanceUid]:
    """Return the studies that arrived since then, oldest first."""
    query = select(studies.c.study_instance_uid).where(studies.c.received_at >= since)
    with transaction(engine) as connection:
        found = connection.scalars(query.order_by(studies.c.received_at, studies.c.study_instance_uid))
        return [StudyInstanceUid(uid) for uid in found]
