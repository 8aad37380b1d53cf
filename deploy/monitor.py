"""`acuity monitor`: closes studies, ends leases, takes up lost jobs, removes images, watches drift, tells people."""

import argparse
import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Engine

from deploy.bundles import offers_of
from deploy.clock import SystemClock
from deploy.drift_watch import Round, watch_once
from deploy.fetching import ask_for_counts, fetch_missing, sources_of
from deploy.jobs import open_queue, take_up_lost_jobs
from deploy.notifying import climb, ladder_of
from deploy.process import process
from deploy.receive import receiving_of, storing_of
from deploy.rules_in_use import note_rules
from deploy.settings import Settings
from deploy.storing import retention_of
from dicom_gateway.storing import Storing
from storage.completion_signals import longest_silences
from storage.database import DatabaseTransactions, connect
from storage.notifications import Outbox
from storage.retention import Retention
from triage.errors import StoreUnavailable
from triage.notifications import Step
from triage.quiet_time import QuietBounds, learned_quiet_period
from triage.reader_work import ReaderWork
from triage.workflow import Receiving

log = structlog.get_logger(__name__)

COMPLETION_POLL_S = 0.1
EXPIRY_POLL_S = 1.0
LADDER_POLL_S = 1.0
COUNTS_POLL_S = 0.5
LOST_JOBS_POLL_S = 5.0
RETENTION_POLL_S = 3600.0
PAUSE_AFTER_FAILURE_S = 1.0
SILENCES_POLL_S = 60.0
MODELS_POLL_S = 2.0
"""How often the registry is asked which models are active: what they need says when a study is complete."""


def run(options: argparse.Namespace) -> int:
    """Watch until SIGTERM or SIGINT."""
    with process(options, "monitor") as own:
        engine = connect(own.database_url)
        receiving = receiving_of(own.settings, engine)
        note_rules(engine, own.settings, SystemClock())
        completeness = own.settings.file.completeness
        bounds = QuietBounds(
            timedelta(seconds=completeness.shortest_quiet_period_s),
            timedelta(seconds=completeness.longest_quiet_period_s),
        )
        watching = (receiving, engine, bounds, own.stop)
        closer = threading.Thread(target=_close_quiet_studies, args=watching, name="completion")
        work = ReaderWork(DatabaseTransactions(connect(own.database_url)), SystemClock(), own.settings.target_times)
        expiry = threading.Thread(target=_end_what_expired, args=(work, own.stop), name="expiry")
        retention = retention_of(own.settings, engine)
        remover = threading.Thread(target=_remove_old, args=(retention, own.stop), name="retention")
        drift = threading.Thread(
            target=_watch_drift, args=(connect(own.database_url), own.settings, own.stop), name="drift"
        )
        counting = (own.settings, connect(own.database_url), own.stop)
        counter = threading.Thread(target=_ask_for_counts, args=counting, name="counts")
        fetching = (own.settings, connect(own.database_url), own.stop)
        fetcher = threading.Thread(target=_fetch_missing, args=fetching, name="fetches")
        telling = (Outbox(connect(own.database_url)), ladder_of(own.settings), own.stop)
        teller = threading.Thread(target=_tell_people, args=telling, name="notifications")
        threads = (closer, expiry, remover, drift, counter, fetcher, teller)
        for thread in threads:
            thread.start()
        try:
            asyncio.run(_take_up_lost_jobs(own.database_url, own.stop))
        finally:
            # A lost database ends this process, and whoever supervises it starts the next one.
            own.stop.set()
            for thread in threads:
                thread.join()
    return 0


def with_learned_silences(receiving: Receiving, engine: Engine, bounds: QuietBounds) -> Receiving:
    """Return the same with the quiet periods of the scanners that enough is known of by now."""
    learned = {title: learned_quiet_period(one, bounds) for title, one in longest_silences(engine).items()}
    periods = {title: period for title, period in learned.items() if period is not None}
    return replace(receiving, rule=replace(receiving.rule, learned_quiet_periods=periods))


def _close_quiet_studies(receiving: Receiving, engine: Engine, bounds: QuietBounds, stop: threading.Event) -> None:
    asked, learnt = time.monotonic(), -SILENCES_POLL_S
    while not stop.wait(COMPLETION_POLL_S):
        try:
            if time.monotonic() - asked >= MODELS_POLL_S:
                receiving, asked = replace(receiving, offers=offers_of(engine)), time.monotonic()
            if time.monotonic() - learnt >= SILENCES_POLL_S:
                receiving, learnt = with_learned_silences(receiving, engine, bounds), time.monotonic()
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


def _ask_for_counts(settings: Settings, engine: Engine, stop: threading.Event) -> None:
    while sources_of(settings) and not stop.wait(COUNTS_POLL_S):
        try:
            ask_for_counts(settings, engine)
        except StoreUnavailable:
            stop.wait(PAUSE_AFTER_FAILURE_S)
        except Exception:
            log.exception("counting_failed")
            stop.wait(PAUSE_AFTER_FAILURE_S)


def _fetch_missing(settings: Settings, engine: Engine, stop: threading.Event) -> None:
    store: Storing | None = None
    while sources_of(settings) and not stop.wait(COUNTS_POLL_S):
        try:
            store = store or storing_of(settings, engine)
            fetch_missing(settings, engine, store, offers_of(engine))
        except StoreUnavailable:
            stop.wait(PAUSE_AFTER_FAILURE_S)
        except Exception:
            log.exception("fetching_failed")
            stop.wait(PAUSE_AFTER_FAILURE_S)


def _end_what_expired(work: ReaderWork, stop: threading.Event) -> None:
    while not stop.wait(EXPIRY_POLL_S):
        try:
            work.end_what_expired()
        except StoreUnavailable:
            stop.wait(PAUSE_AFTER_FAILURE_S)
        except Exception:
            log.exception("expiry_failed")
            stop.wait(PAUSE_AFTER_FAILURE_S)


def _tell_people(outbox: Outbox, ladder: Sequence[Step], stop: threading.Event) -> None:
    while not stop.wait(LADDER_POLL_S):
        try:
            climb(outbox, ladder, SystemClock())
        except StoreUnavailable:
            stop.wait(PAUSE_AFTER_FAILURE_S)
        except Exception:
            log.exception("notifying_failed")
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
            found = watch_once(engine, settings, datetime.now(UTC))
        except StoreUnavailable:
            log.warning("database_away")
        except Exception:
            log.exception("drift_watch_failed")
        else:
            _log(found)


def _log(found: Round) -> None:
    """Log what the look changed; people are told by the outbox, where the database notes each alarm itself."""
    for event, alarms in (
        ("drift_alarm", found.opened), ("alarm_escalated", found.escalated), ("flags_paused", found.paused),
    ):  # fmt: skip
        for one in alarms:
            key = one.alarm.key
            log.error(event, alarm=one.number, stream=key.stream, scanner=key.scanner, model=key.model)


async def _take_up_lost_jobs(database_url: str, stop: threading.Event) -> None:
    queue = open_queue(database_url)
    async with queue.open_async():
        while not await asyncio.to_thread(stop.wait, LOST_JOBS_POLL_S):
            if taken_up := await take_up_lost_jobs(queue):
                log.warning("jobs_taken_up", count=taken_up)
