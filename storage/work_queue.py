"""Jobs as rows: deferred in the transaction of the rows that need them, run by procrastinate's workers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from triage.identifiers import SopInstanceUid, StudyInstanceUid
from triage.priority import Priority

TRIAGE_QUEUE = "triage"
DELIVERY_QUEUE = "delivery"
SHADOW_QUEUE = "shadow"
VALIDATION_QUEUE = "validation"
TRIAGE_TASK = "triage_study"
REPORT_TASK = "write_reports"
DELIVERY_TASK = "deliver_result"
SHADOW_TASK = "watch_study"
VALIDATION_TASK = "answer_studies"
BEHIND_ALL = -100
"""The priority of work that nobody waits for; procrastinate takes the higher number first."""
FORWARDING_TASK = "forward_originals"
COPYING_TASK = "send_deidentified"
CONFIRMATION_TASK = "confirm_delivery"
COMMITMENT_TASK = "report_commitment"
NOTIFICATION_QUEUE = "notification"
NOTIFICATION_TASK = "send_notification"

_DEFER = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(:queue, :task, :priority, NULL, NULL, CAST(:args AS jsonb), NULL)]"
    "::procrastinate_job_to_defer_v1[])"
)
_DEFER_IN_SHADOW = text(f"{_DEFER.text} WHERE EXISTS (SELECT FROM models WHERE state = 'shadow')")

_LIVE_WORK = text(
    "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE queue_name = :queue AND status IN ('todo', 'doing')"
    " AND (scheduled_at IS NULL OR scheduled_at <= now()))"
)
_HASTEN = text(
    "UPDATE procrastinate_jobs SET scheduled_at = NULL"
    " WHERE queue_name = :queue AND status = 'todo' AND scheduled_at > now()"
)
_ADOPT = text(
    "UPDATE procrastinate_jobs SET queue_name = :queue"
    " WHERE starts_with(queue_name, :queue || ':') AND queue_name <> ALL(:known) AND status = 'todo'"
)


def queue_of(destination: str) -> str:
    """Return the name of the queue that holds what goes to `destination`, and nothing else."""
    return f"{DELIVERY_QUEUE}:{destination}"


@dataclass(frozen=True, slots=True)
class JobRows:
    """The queue, within one transaction; satisfies `triage.ports.WorkQueue`."""

    connection: Connection

    def defer_triage(self, uid: StudyInstanceUid, revision: int, priority: Priority) -> None:
        self._defer(TRIAGE_QUEUE, TRIAGE_TASK, priority, study_instance_uid=uid, revision=revision)

    def defer_reports(self, uid: StudyInstanceUid, revision: int, priority: Priority) -> None:
        self._defer(DELIVERY_QUEUE, REPORT_TASK, priority, study_instance_uid=uid, revision=revision)

    def defer_delivery(self, uid: SopInstanceUid, destination: str, priority: Priority) -> None:
        queue = queue_of(destination)
        self._defer(queue, DELIVERY_TASK, priority, sop_instance_uid=uid, destination=destination)

    def defer_forwarding(self, uid: StudyInstanceUid, destination: str, priority: Priority) -> None:
        queue = queue_of(destination)
        self._defer(queue, FORWARDING_TASK, priority, study_instance_uid=uid, destination=destination)

    def defer_deidentified(self, uid: StudyInstanceUid, destination: str, priority: Priority) -> None:
        queue = queue_of(destination)
        self._defer(queue, COPYING_TASK, priority, study_instance_uid=uid, destination=destination)

    def hasten(self, destination: str) -> None:
        self.connection.execute(_HASTEN, {"queue": queue_of(destination)})

    def adopt_all_but(self, destinations: Sequence[str]) -> int:
        """Move the jobs of destinations that the settings no longer name to the common queue; return how many.

        Without it nobody would ever take them up; there each is refused with the reason, and shown.
        """
        known = [queue_of(one) for one in destinations]
        return self.connection.execute(_ADOPT, {"queue": DELIVERY_QUEUE, "known": known}).rowcount

    def defer_shadow(self, uid: StudyInstanceUid, revision: int) -> None:
        args = json.dumps({"study_instance_uid": uid, "revision": revision})
        values = {"queue": SHADOW_QUEUE, "task": SHADOW_TASK, "priority": BEHIND_ALL, "args": args}
        self.connection.execute(_DEFER_IN_SHADOW, values)

    def has_live_work(self) -> bool:
        """Return whether a live study waits for its analysis or is being analysed now."""
        return bool(self.connection.execute(_LIVE_WORK, {"queue": TRIAGE_QUEUE}).scalar_one())

    def defer_answers(self, validation: int, studies: Sequence[str]) -> None:
        args = json.dumps({"validation": validation, "studies": list(studies)})
        values = {"queue": VALIDATION_QUEUE, "task": VALIDATION_TASK, "priority": BEHIND_ALL, "args": args}
        self.connection.execute(_DEFER, values)

    def defer_confirmation(self, uid: SopInstanceUid, destination: str, priority: Priority) -> None:
        self._defer(DELIVERY_QUEUE, CONFIRMATION_TASK, priority, sop_instance_uid=uid, destination=destination)

    def defer_commitment(self, ae_title: str, transaction_uid: str) -> None:
        task = {"ae_title": ae_title, "transaction_uid": transaction_uid}
        self._defer(DELIVERY_QUEUE, COMMITMENT_TASK, Priority.ROUTINE, **task)

    def defer_notification(self, notification: str) -> None:
        self._defer(NOTIFICATION_QUEUE, NOTIFICATION_TASK, Priority.CRITICAL, notification=notification)

    def _defer(self, queue: str, task: str, priority: Priority, **args: str | int) -> None:
        # procrastinate takes the higher number first, the bands count downwards.
        values = {"queue": queue, "task": task, "priority": -int(priority), "args": json.dumps(args)}
        self.connection.execute(_DEFER, values)
