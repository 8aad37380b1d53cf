"""`acuity monitor`: closes studies, ends leases, takes up lost jobs, removes old images, watches drift."""

import argparse
import asyncio
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from sqlalchemy import Engine

from deploy.bundles import offers_of
from deploy.clock import SystemClock
from deploy.drift_watch import look_and_keep
from deploy.jobs import open_queue, take_up_lost_jobs
from deploy.process import process
from deploy.receive import receiving_of
from deploy.settings import Settings
from deploy.storing import retention_of
from storage.database import DatabaseTransactions, connect
from storage.retention import Retention
from triage.errors import StoreUnavailable
from triage.reader_work import ReaderWork
from triage.workflow import Receiving

log = structlog.get_logger(__name__)

COMPLETION_POLL_S = 0.1
EXPIRY_POLL_S = 1.0
LOST_JOBS_POLL_S = 5.0
RETENTION_POLL_S = 3600.0
PAUSE_AFTER_FAILURE_S = 1.0
MODELS_POLL_S = 2.0
"""How often the registry is asked which models are active: what they need says when a study is complete."""


def run(options: argparse.Namespace) -> int:
    """Watch until SIGTERM or SIGINT."""
    with process(options, "monitor") as own:
        engine = connect(own.database_url)
        receiving = receiving_of(own.settings, engine)
        closer = threading.Thread(target=_close_quiet_studies, args=(receiving, engine, own.stop), name="completion")
        work = ReaderWork(DatabaseTransactions(connect(own.database_url)), SystemClock(), own.settings.target_times)
        expiry = threading.Thread(target=_end_what_expired, args=(work, own.stop), name="expiry")
        retention = retention_of(own.settings, engine)
        remover = threading.Thread(target=_remove_old, args=(retention, own.stop), name="retention")
        drift = threading.Thread(
            target=_watch_drift, args=(connect(own.database_url), own.settings, own.stop), name="drift"
        )
        for thread in (closer, expiry, remover, drift):
            thread.start()
        try:
            asyncio.run(_take_up_lost_jobs(own.database_url, own.stop))
        finally:
            # A lost database ends this process, and whoever supervises it starts the next one.
            own.stop.set()
            for thread in (closer, expiry, remover, drift):
                thread.join()
    return 0


def _close_quiet_studies(receiving: Receiving, engine: Engine, stop: threading.Event) -> None:
    asked = time.monotonic()
    while not stop.wait(COMPLETION_POLL_S):
        try:
            if time.monotonic() - asked >= MODELS_POLL_S:
                receiving, asked = replace(receiving, offers=offers_of(engine)), time.monotonic()
            closed = receiving.close_quiet_studies()
        except StoreUnavailable:
            log.warning("database_away")
            stop.wait(PAUSE_AFTER_FAILURE_S)
        except Exception:
            log.exception("completion_failed")
            stop.wait(PAUSE_AFTER_FAILURE_S)
        else:
            if closed:
                log.info("studies_complete", count=len(closed))


def _end_what_expired(work: ReaderWork, stop: threading.Event) -> None:
    while not stop.wait(EXPIRY_POLL_S):
        try:
            work.end_what_expired()
        except StoreUnavailable:
            stop.wait(PAUSE_AFTER_FAILURE_S)
        except Exception:
            log.exception("expiry_failed")
            stop.wait(PAUSE_AFTER_FAILURE_S)


def _remove_old(retention: Retention, stop: threading.Event) -> None:
    while not stop.wait(RETENTION_POLL_S):
        now = datetime.now(UTC)
        try:
            for study in retention.removable(now):
                if stop.is_set():
                    return
                files = retention.remove(study, now)
                log.info("images_removed", files=files)
        except StoreUnavailable:
            log.warning("database_away")
        except Exception:
            log.exception("retention_failed")


def _watch_drift(engine: Engine, settings: Settings, stop: threading.Event) -> None:
    while not stop.wait(settings.file.surveillance.interval_minutes * 60):
        try:
            opened = look_and_keep(engine, settings, datetime.now(UTC))
        except StoreUnavailable:
            log.warning("database_away")
        except Exception:
            log.exception("drift_watch_failed")
        else:
            for one in opened:
                key = one.alarm.key
                log.error("drift_alarm", alarm=one.number, stream=key.stream, scanner=key.scanner, model=key.model)


async def _take_up_lost_jobs(database_url: str, stop: threading.Event) -> None:
    queue = open_queue(database_url)
    async with queue.open_async():
        while not await asyncio.to_thread(stop.wait, LOST_JOBS_POLL_S):
            if taken_up := await take_up_lost_jobs(queue):
                log.warning("jobs_taken_up", count=taken_up)
