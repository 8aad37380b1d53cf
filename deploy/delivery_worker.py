"""`acuity work --queue delivery`: a worker for step 9, writing reports and sending them."""

import argparse
import asyncio
from zoneinfo import ZoneInfo

import structlog
from procrastinate import App

from deploy.clock import SystemClock
from deploy.jobs import BackOff, open_queue, run_worker
from deploy.process import process
from deploy.settings import Settings
from dicom_gateway.forwarder import OriginalForwarder
from dicom_gateway.results.writer import DicomReportWriter
from dicom_gateway.sender import Destination, DicomSender
from storage.database import DatabaseTransactions, connect
from storage.work_queue import DELIVERY_QUEUE, DELIVERY_TASK, FORWARDING_TASK, REPORT_TASK
from triage.errors import RetriableError
from triage.forwarding import Forwarding
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
        queue, sender = open_queue(own.database_url), sender_of(own.settings)
        add_tasks(queue, Delivery(transactions, SystemClock(), writer, sender))
        add_forwarding(queue, Forwarding(transactions, SystemClock(), OriginalForwarder(sender)))
        log.info("working", queue=DELIVERY_QUEUE)
        asyncio.run(run_worker(queue, DELIVERY_QUEUE, DELIVERIES_AT_ONCE))
    return 0


def sender_of(settings: Settings) -> DicomSender:
    """Return the way to every destination."""
    destinations = tuple(
        Destination(one.name, one.ae_title, one.host, one.port, one.send) for one in settings.file.destinations
    )
    return DicomSender(destinations, settings.file.dicom.ae_title)


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


def add_forwarding(queue: App, forwarding: Forwarding) -> None:
    """Let workers of `queue` send originals on."""

    @queue.task(name=FORWARDING_TASK, queue=DELIVERY_QUEUE, retry=BackOff())
    def forward_originals(study_instance_uid: str, destination: str) -> None:
        forwarding.forward_originals(StudyInstanceUid(study_instance_uid), destination)
