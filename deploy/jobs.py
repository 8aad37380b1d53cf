"""The job queue: how workers run, when a failed job is tried again, and who takes up lost ones."""

import asyncio
import random
import signal
from collections.abc import Mapping
from datetime import timedelta

from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision
from procrastinate.jobs import Job

from triage.errors import DestinationPaused, RetriableError

HEARTBEAT_S = 2.0
STALLED_AFTER_S = 10.0
POLL_S = 1.0
LONGEST_WAIT_S = 300
PROBE_SPREAD_S = 5.0
"""Those who wait for a destination that is away come back one by one: the first of them tries it for all."""


class BackOff(BaseRetryStrategy):
    """Errors that may pass are tried again for ever, after 1, 2, 4 … 300 s, each with jitter; others never."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if not isinstance(exception, RetriableError):
            return None
        if isinstance(exception, DestinationPaused):
            return RetryDecision(retry_at=exception.retry_at + timedelta(seconds=random.uniform(0.0, PROBE_SPREAD_S)))
        # Jitter: a PACS that comes back must not meet every waiting result in the same second.
        wait = min(LONGEST_WAIT_S, 2 ** min(job.attempts, 9)) * random.uniform(0.5, 1.0)
        return RetryDecision(retry_in={"seconds": max(1, round(wait))})


def open_queue(database_url: str, workers: int = 1) -> App:
    """Return the job queue, without a task yet, with connections for so many workers (each listens on one)."""
    return App(connector=PsycopgConnector(conninfo=database_url, min_size=1, max_size=2 + 2 * workers))


async def run_worker(queue: App, name: str, at_once: int) -> None:
    """Run the jobs of the queue called `name`, at most `at_once` at a time, until SIGTERM or SIGINT."""
    await run_workers(queue, {name: at_once})


async def run_workers(queue: App, at_once: Mapping[str, int]) -> None:
    """Run the jobs of each named queue, so many at a time, until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with queue.open_async():
        workers = [asyncio.create_task(_work(queue, name, most)) for name, most in at_once.items()]
        stopping = asyncio.create_task(stop.wait())
        # A worker that ends by itself has failed: the whole process ends with it, and is started again.
        await asyncio.wait([stopping, *workers], return_when=asyncio.FIRST_COMPLETED)
        for one in (stopping, *workers):
            one.cancel()
        ended = await asyncio.gather(*workers, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error


async def _work(queue: App, name: str, at_once: int) -> None:
    await queue.run_worker_async(
        queues=[name],
        name=name,
        concurrency=at_once,
        fetch_job_polling_interval=POLL_S,
        shutdown_graceful_timeout=10.0,
        update_heartbeat_interval=HEARTBEAT_S,
        stalled_worker_timeout=STALLED_AFTER_S,
        delete_jobs="successful",
        install_signal_handlers=False,
    )


async def take_up_lost_jobs(queue: App) -> int:
    """Put the jobs of dead workers back into the queue, and return how many there were."""
    lost = list(await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S))
    for job in lost:
        await queue.job_manager.retry_job(job)
    return len(lost)
