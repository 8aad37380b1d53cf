"""Jobs as rows: deferred in the transaction of the rows that need them, run by procrastinate's workers."""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, text

from triage.identifiers import SopInstanceUid, StudyInstanceUid
from triage.priority import Priority

TRIAGE_QUEUE = "triage"
DELIVERY_QUEUE = "delivery"
TRIAGE_TASK = "triage_study"
REPORT_TASK = "write_reports"
DELIVERY_TASK = "deliver_result"
FORWARDING_TASK = "forward_originals"

_DEFER = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(:queue, :task, :priority, NULL, NULL, CAST(:args AS jsonb), NULL)]"
    "::procrastinate_job_to_defer_v1[])"
)


@dataclass(frozen=True, slots=True)
class JobRows:
    """The queue, within one transaction; satisfies `triage.ports.WorkQueue`."""

    connection: Connection

    def defer_triage(self, uid: StudyInstanceUid, revision: int, priority: Priority) -> None:
        self._defer(TRIAGE_QUEUE, TRIAGE_TASK, priority, study_instance_uid=uid, revision=revision)

    def defer_reports(self, uid: StudyInstanceUid, revision: int, priority: Priority) -> None:
        self._defer(DELIVERY_QUEUE, REPORT_TASK, priority, study_instance_uid=uid, revision=revision)

    def defer_delivery(self, uid: SopInstanceUid, destination: str, priority: Priority) -> None:
        self._defer(DELIVERY_QUEUE, DELIVERY_TASK, priority, sop_instance_uid=uid, destination=destination)

    def defer_forwarding(self, uid: StudyInstanceUid, destination: str, priority: Priority) -> None:
        self._defer(DELIVERY_QUEUE, FORWARDING_TASK, priority, study_instance_uid=uid, destination=destination)

    def _defer(self, queue: str, task: str, priority: Priority, **args: str | int) -> None:
        # procrastinate takes the higher number first, the bands count downwards.
        values = {"queue": queue, "task": task, "priority": -int(priority), "args": json.dumps(args)}
        self.connection.execute(_DEFER, values)
