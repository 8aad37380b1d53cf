"""`acuity work --queue triage`: a worker for steps 3 to 7, with its models loaded and warm."""

import argparse
import asyncio

import structlog
from procrastinate import App

from deploy.bundles import bundles_of
from deploy.clock import SystemClock
from deploy.jobs import BackOff, open_queue, run_worker
from deploy.process import process
from deploy.settings import Settings
from inference.analyser import BundleAnalyser
from inference.runtime import ProviderPolicy
from storage.database import DatabaseTransactions, connect
from storage.work_queue import TRIAGE_QUEUE, TRIAGE_TASK
from triage.errors import RetriableError
from triage.identifiers import StudyInstanceUid
from triage.workflow import Triage

log = structlog.get_logger(__name__)


def run(options: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT."""
    with process(options, "work triage") as own:
        analyser = analyser_of(own.settings)
        analyser.warm_up()
        transactions = DatabaseTransactions(connect(own.database_url))
        queue = open_queue(own.database_url)
        add_task(queue, Triage(transactions, SystemClock(), analyser, own.settings.target_times))
        log.info("working", queue=TRIAGE_QUEUE)
        asyncio.run(run_worker(queue, TRIAGE_QUEUE, at_once=1))
    return 0


def analyser_of(settings: Settings) -> BundleAnalyser:
    """Return the models with their runtime, not loaded yet."""
    inference = settings.file.inference
    policy = ProviderPolicy.REQUIRE_GPU if inference.device == "cuda" else ProviderPolicy.CPU_ONLY
    return BundleAnalyser(bundles_of(settings), policy, inference.threads)


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
