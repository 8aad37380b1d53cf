"""The background jobs: which task calls which step, when a failed one is tried again, and who takes up lost ones."""

import random

import structlog
from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision
from procrastinate.jobs import Job

from storage.work_queue import (
    DELIVERY_QUEUE,
    DELIVERY_TASK,
    REPORT_TASK,
    TRIAGE_QUEUE,
    TRIAGE_TASK,
)
from triage.errors import RetriableError
from triage.identifiers import SopInstanceUid, StudyInstanceUid
from triage.workflow import Delivery, Triage

log = structlog.get_logger(__name__)

HEARTBEAT_S = 2.0
STALLED_AFTER_S = 10.0
LONGEST_WAIT_S = 300


class BackOff(BaseRetryStrategy):
    """Errors that may pass are tried again for ever, after 1, 2, 4 … 300 s, each with jitter; others never."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if not isinstance(exception, RetriableError):
            return None
        # Jitter: a PACS that comes back must not meet every waiting result in the same second.
        wait = min(LONGEST_WAIT_S, 2 ** min(job.attempts, 9)) * random.uniform(0.5, 1.0)
        return RetryDecision(retry_in={"seconds": max(1, round(wait))})


def open_queue(database_url: str) -> App:
    """Return the job queue without tasks, as the monitor needs it."""
    return App(connector=PsycopgConnector(conninfo=database_url, min_size=1, max_size=4))


def add_triage_task(queue: App, triage: Triage) -> None:
    """Let workers of `queue` do steps 3 to 7."""

    @queue.task(name=TRIAGE_TASK, queue=TRIAGE_QUEUE, retry=BackOff())
    def triage_study(study_instance_uid: str, revision: int) -> None:
        uid = StudyInstanceUid(study_instance_uid)
        try:
            triage.triage_study(uid, revision)
        except RetriableError:
            raise
        except Exception as error:
            log.exception("triage_failed", revision=revision)
            triage.mark_failed(uid, revision, f"unexpected {type(error).__name__}")


def add_delivery_tasks(queue: App, delivery: Delivery) -> None:
    """Let workers of `queue` do step 9."""

    @queue.task(name=REPORT_TASK, queue=DELIVERY_QUEUE, retry=BackOff())
    def write_reports(study_instance_uid: str, revision: int) -> None:
        uid = StudyInstanceUid(study_instance_uid)
        try:
            delivery.write_reports(uid, revision)
        except RetriableError:
            raise
        except Exception as error:
            log.exception("report_failed", revision=revision)
            delivery.mark_failed(uid, revision, f"report not written: {type(error).__name__}")

    @queue.task(name=DELIVERY_TASK, queue=DELIVERY_QUEUE, retry=BackOff())
    def deliver_result(sop_instance_uid: str, destination: str) -> None:
        delivery.deliver_result(SopInstanceUid(sop_instance_uid), destination)


async def take_up_lost_jobs(queue: App) -> int:
    """Put the jobs of dead workers back into the queue, and return how many there were."""
    lost = list(await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S))
    for job in lost:
        await queue.job_manager.retry_job(job)
    return len(lost)
