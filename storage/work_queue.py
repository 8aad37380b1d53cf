"""Jobs as rows: deferred in the transaction of the rows that need them, run by procrastinate's workers."""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, text

from triage.identifiers import SopInstanceUid, StudyInstanceUid
from triage.priority import Priority

TRIAGE_QUEUE = "triage"
DELIVERY_QUEUE = "delivery"
SHADOW_QUEUE = "shadow"
TRIAGE_TASK = "triage_study"
REPORT_TASK = "write_reports"
DELIVERY_TASK = "deliver_result"
SHADOW_TASK = "watch_study"
BEHIND_ALL = -100
"""The priority of work that nobody waits for; procrastinate takes the higher number first."""

_DEFER = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(:queue, :task, :priority, NULL, NULL, CAST(:args AS jsonb), NULL)]"
    "::procrastinate_job_to_defer_v1[])"
)
_DEFER_IN_SHADOW = text(f"{_DEFER.text} WHERE EXISTS (SELECT FROM models WHERE state = 'shadow')")


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

    def defer_shadow(self, uid: StudyInstanceUid, revision: int) -> None:
        args = json.dumps({"study_instance_uid": uid, "revision": revision})
        values = {"queue": SHADOW_QUEUE, "task": SHADOW_TASK, "priority": BEHIND_ALL, "args": args}
        self.connection.execute(_DEFER_IN_SHADOW, values)

    def _defer(self, queue: str, task: str, priority: Priority, **args: str | int) -> None:
        # procrastinate takes the higher number first, the bands count downwards.
        values = {"queue": queue, "task": task, "priority": -int(priority), "args": json.dumps(args)}
        self.connection.execute(_DEFER, values)
