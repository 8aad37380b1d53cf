"""`acuity work --queue triage`: a worker for steps 3 to 7, with its models loaded and warm."""

import argparse
import asyncio

import structlog
from procrastinate import App

from deploy.bundles import register_at_start
from deploy.clock import SystemClock
from deploy.jobs import BackOff, open_queue, run_worker
from deploy.process import process
from deploy.serving import active_models
from storage.database import DatabaseTransactions, connect
from storage.model_registry import ModelRows
from storage.work_queue import TRIAGE_QUEUE, TRIAGE_TASK
from triage.errors import RetriableError
from triage.identifiers import StudyInstanceUid
from triage.workflow import Triage

log = structlog.get_logger(__name__)


def run(options: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT."""
    with process(options, "work triage") as own:
        engine = connect(own.database_url)
        rows = ModelRows(engine)
        register_at_start(rows, own.settings)
        analyser = active_models(own.settings, rows)
        analyser.warm_up()
        transactions = DatabaseTransactions(engine)
        queue = open_queue(own.database_url)
        add_task(queue, Triage(transactions, SystemClock(), analyser, own.settings.target_times))
        log.info("working", queue=TRIAGE_QUEUE)
        asyncio.run(run_worker(queue, TRIAGE_QUEUE, at_once=1))
    return 0


def add_task(queue: App, triage: Triage) -> None:
    """Let workers of `queue` triage studies."""

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
