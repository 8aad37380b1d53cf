"""The bodies of the processes: receive, work, monitor, web. Each runs until it is told to stop."""

import asyncio
import signal
import threading

import structlog
from procrastinate import App

from deploy import jobs, wiring
from deploy.settings import Settings
from storage.database import connect
from storage.work_queue import DELIVERY_QUEUE, TRIAGE_QUEUE
from triage.errors import StoreUnavailable
from triage.workflow import Receiving
from worklist.app import create_app
from worklist.server import listening_socket, server

log = structlog.get_logger(__name__)

COMPLETION_POLL_S = 0.1
LOST_JOBS_POLL_S = 5.0
DELIVERIES_AT_ONCE = 4


def run_receiver(settings: Settings, database_url: str, stop: threading.Event) -> None:
    """Receive until `stop`."""
    engine = connect(database_url, pool_size=10)
    receiver = wiring.receiver(settings, engine)
    receiver.start()
    log.info("receiving", port=receiver.port)
    stop.wait()
    receiver.stop()


def run_worker(settings: Settings, database_url: str, kind: str) -> None:
    """Run jobs of one kind, "triage" or "delivery", until SIGTERM or SIGINT."""
    engine = connect(database_url)
    queue = jobs.open_queue(database_url)
    if kind == TRIAGE_QUEUE:
        models = wiring.analyser(settings)
        models.warm_up()
        jobs.add_triage_task(queue, wiring.triage(settings, engine, models))
    else:
        jobs.add_delivery_tasks(queue, wiring.delivery(settings, engine))
    log.info("working", queue=kind)
    asyncio.run(_work(queue, kind))


async def _work(queue: App, kind: str) -> None:
    async with queue.open_async():
        await queue.run_worker_async(
            queues=[kind],
            name=kind,
            concurrency=DELIVERIES_AT_ONCE if kind == DELIVERY_QUEUE else 1,
            fetch_job_polling_interval=1.0,
            shutdown_graceful_timeout=10.0,
            update_heartbeat_interval=jobs.HEARTBEAT_S,
            stalled_worker_timeout=jobs.STALLED_AFTER_S,
            delete_jobs="successful",
        )


def run_monitor(settings: Settings, database_url: str, stop: threading.Event) -> None:
    """Close quiet studies and take up lost jobs until `stop`."""
    receiving = wiring.receiving(settings, connect(database_url))
    closer = threading.Thread(target=_close_quiet_studies, args=(receiving, stop), name="completion", daemon=True)
    closer.start()
    asyncio.run(_take_up_lost_jobs(database_url, stop))


def _close_quiet_studies(receiving: Receiving, stop: threading.Event) -> None:
    while not stop.wait(COMPLETION_POLL_S):
        try:
            closed = receiving.close_quiet_studies()
        except StoreUnavailable:
            log.warning("database_away")
            stop.wait(1.0)
        except Exception:
            log.exception("completion_failed")
            stop.wait(1.0)
        else:
            if closed:
                log.info("studies_complete", count=len(closed))


async def _take_up_lost_jobs(database_url: str, stop: threading.Event) -> None:
    queue = jobs.open_queue(database_url)
    async with queue.open_async():
        while not await asyncio.to_thread(stop.wait, LOST_JOBS_POLL_S):
            taken_up = await jobs.take_up_lost_jobs(queue)
            if taken_up:
                log.warning("jobs_taken_up", count=taken_up)


def run_web(settings: Settings, database_url: str) -> None:
    """Serve the page and its API until SIGTERM or SIGINT."""
    web = settings.file.web
    app = create_app(wiring.web_services(connect(database_url, pool_size=10)), wiring.web_settings(settings))
    server(app).run(sockets=[listening_socket(web.host, web.port)])


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
