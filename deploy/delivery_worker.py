"""`acuity work --queue delivery`: a worker for step 9, writing reports and sending them."""

import argparse
import asyncio
from zoneinfo import ZoneInfo

import structlog
from procrastinate import App

from deploy.clock import SystemClock
from deploy.dimse_services import add_commitment_tasks, committing_of, confirming, sender_of
from deploy.jobs import BackOff, open_queue, run_worker
from deploy.process import process
from dicom_gateway.results.writer import DicomReportWriter
from storage.database import DatabaseTransactions, connect
from storage.work_queue import DELIVERY_QUEUE, DELIVERY_TASK, REPORT_TASK
from triage.errors import RetriableError
from triage.identifiers import SopInstanceUid, StudyInstanceUid
from triage.workflow import Delivery

log = structlog.get_logger(__name__)

DELIVERIES_AT_ONCE = 4


def run(options: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT."""
    with process(options, "work delivery") as own:
        zone = ZoneInfo(own.settings.file.site.time_zone)
        writer = DicomReportWriter(own.settings.home / "results", time_zone=zone)
        transactions = DatabaseTransactions(connect(own.database_url))
        queue = open_queue(own.database_url)
        add_tasks(
            queue, Delivery(transactions, SystemClock(), writer, sender_of(own.settings), confirming(own.settings))
        )
        add_commitment_tasks(queue, committing_of(own.settings, transactions.engine, sender_of(own.settings)))
        log.info("working", queue=DELIVERY_QUEUE)
        asyncio.run(run_worker(queue, DELIVERY_QUEUE, DELIVERIES_AT_ONCE))
    return 0


def add_tasks(queue: App, delivery: Delivery) -> None:
    """Let workers of `queue` write reports and send them."""

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
