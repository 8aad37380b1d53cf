"""The job queue: how workers run, when a failed job is tried again, and who takes up lost ones."""

import random

from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision
from procrastinate.jobs import Job

from triage.errors import RetriableError

HEARTBEAT_S = 2.0
STALLED_AFTER_S = 10.0
POLL_S = 1.0
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
    """Return the job queue, without a task yet."""
    return App(connector=PsycopgConnector(conninfo=database_url, min_size=1, max_size=4))


async def run_worker(queue: App, name: str, at_once: int) -> None:
    """Run the jobs of the queue called `name`, at most `at_once` at a time, until SIGTERM or SIGINT."""
    async with queue.open_async():
        await queue.run_worker_async(
            queues=[name],
            name=name,
            concurrency=at_once,
            fetch_job_polling_interval=POLL_S,
            shutdown_graceful_timeout=10.0,
            update_heartbeat_interval=HEARTBEAT_S,
            stalled_worker_timeout=STALLED_AFTER_S,
            delete_jobs="successful",
        )


async def take_up_lost_jobs(queue: App) -> int:
    """Put the jobs of dead workers back into the queue, and return how many there were."""
    lost = list(await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S))
    for job in lost:
        await queue.job_manager.retry_job(job)
    return len(lost)
