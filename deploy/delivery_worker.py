"""`acuity work --queue delivery`: step 9, writing reports and sending them; each destination has its own queue."""

import argparse
import asyncio
import random
from zoneinfo import ZoneInfo

import structlog
from procrastinate import App

from deploy.clock import SystemClock
from deploy.deidentifying import own_key_file, retained_by
from deploy.dimse_services import add_commitment_tasks, committing_of, confirming, sender_of
from deploy.jobs import BackOff, open_queue, run_workers
from deploy.notifying import SENT_AT_ONCE, add_notifications, telling_of
from deploy.process import process
from dicom_gateway.deidentified_copies import DeidentifiedSender
from dicom_gateway.originals import DicomOriginalSender
from dicom_gateway.results.writer import DicomReportWriter
from storage.database import DatabaseTransactions, connect
from storage.notifications import Outbox
from storage.work_queue import (
    COPYING_TASK,
    DELIVERY_QUEUE,
    DELIVERY_TASK,
    FORWARDING_TASK,
    NOTIFICATION_QUEUE,
    REPORT_TASK,
    queue_of,
)
from triage.circuit_breaker import CircuitBreaker, GuardedSender
from triage.errors import RetriableError
from triage.forwarding import Forwarding
from triage.identifiers import SopInstanceUid, StudyInstanceUid
from triage.workflow import Delivery

log = structlog.get_logger(__name__)

REPORTS_AT_ONCE = 2
DELIVERIES_AT_ONCE = 2
"""Associations to one destination at the same time, from this process."""


def run(options: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT."""
    with process(options, "work delivery") as own:
        zone = ZoneInfo(own.settings.file.site.time_zone)
        writer = DicomReportWriter(own.settings.home / "results", time_zone=zone)
        transactions = DatabaseTransactions(connect(own.database_url))
        sender = sender_of(own.settings)
        names = [one.name for one in sender.destinations]
        queues = {DELIVERY_QUEUE: REPORTS_AT_ONCE, NOTIFICATION_QUEUE: SENT_AT_ONCE}
        queues |= {queue_of(name): DELIVERIES_AT_ONCE for name in names}
        queue = open_queue(own.database_url, len(queues))
        breaker = CircuitBreaker(transactions, SystemClock(), lambda: random.uniform(0.5, 1.0))
        guarded = GuardedSender(sender, breaker)
        add_tasks(queue, Delivery(transactions, SystemClock(), writer, guarded, confirming(own.settings)))
        originals = DicomOriginalSender(sender)
        copies = DeidentifiedSender(originals, own_key_file(own.settings.home), retained_by(own.settings))
        add_forwarding(queue, Forwarding(transactions, SystemClock(), originals, breaker))
        add_copying(queue, Forwarding(transactions, SystemClock(), copies, breaker, deidentified=True))
        add_notifications(queue, telling_of(own.settings, Outbox(transactions.engine), SystemClock()))
        add_commitment_tasks(queue, committing_of(own.settings, transactions.engine, sender))
        with transactions.begin() as records:
            adopted = records.queue.adopt_all_but(names)
        log.info("working", queue=DELIVERY_QUEUE, destinations=len(names), adopted=adopted)
        asyncio.run(run_workers(queue, queues))
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


def add_forwarding(queue: App, forwarding: Forwarding) -> None:
    """Let workers of `queue` send originals on."""

    @queue.task(name=FORWARDING_TASK, queue=DELIVERY_QUEUE, retry=BackOff())
    def forward_originals(study_instance_uid: str, destination: str) -> None:
        forwarding.forward(StudyInstanceUid(study_instance_uid), destination)


def add_copying(queue: App, copying: Forwarding) -> None:
    """Let workers of `queue` send de-identified copies."""

    @queue.task(name=COPYING_TASK, queue=DELIVERY_QUEUE, retry=BackOff())
    def send_deidentified(study_instance_uid: str, destination: str) -> None:
        copying.forward(StudyInstanceUid(study_instance_uid), destination)
