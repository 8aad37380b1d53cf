"""`acuity work --queue shadow`: a worker for the models in the shadow, with what the others leave of the machine."""

import argparse
import asyncio
import os

import structlog
from procrastinate import App

from deploy.clock import SystemClock
from deploy.jobs import BackOff, open_queue, run_worker
from deploy.process import process
from deploy.serving import shadow_models
from storage.database import DatabaseTransactions, connect
from storage.model_registry import ModelRows
from storage.work_queue import SHADOW_QUEUE, SHADOW_TASK
from triage.errors import RetriableError
from triage.identifiers import StudyInstanceUid
from triage.shadow import Shadow

log = structlog.get_logger(__name__)

LOWEST_PRIORITY = 19


def run(options: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT; a model is loaded when its first study comes."""
    os.nice(LOWEST_PRIORITY)
    with process(options, "work shadow") as own:
        engine = connect(own.database_url)
        analyser = shadow_models(own.settings, ModelRows(engine))
        queue = open_queue(own.database_url)
        add_task(queue, Shadow(DatabaseTransactions(engine), SystemClock(), analyser))
        log.info("working", queue=SHADOW_QUEUE)
        asyncio.run(run_worker(queue, SHADOW_QUEUE, at_once=1))
    return 0


def add_task(queue: App, shadow: Shadow) -> None:
    """Let workers of `queue` show studies to the models in the shadow."""

    @queue.task(name=SHADOW_TASK, queue=SHADOW_QUEUE, retry=BackOff())
    def watch_study(study_instance_uid: str, revision: int) -> None:
        try:
            shadow.watch_study(StudyInstanceUid(study_instance_uid), revision)
        except RetriableError:
            raise
        except Exception:
            log.exception("shadow_failed", revision=revision)
