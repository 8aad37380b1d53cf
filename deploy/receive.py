"""`acuity receive`: one receiver process."""

import argparse
from datetime import timedelta

import structlog
from sqlalchemy import Engine

from deploy.bundles import offers_of
from deploy.clock import SystemClock
from deploy.process import process
from deploy.settings import Settings
from dicom_gateway.peers import Peer, PeerList
from dicom_gateway.receiver import Receiver, ReceiverSettings
from dicom_gateway.spool import prepare_spool
from storage.database import DatabaseTransactions, connect
from storage.intake import IntakeRows
from triage.ports import CompletionRule
from triage.workflow import Receiving

log = structlog.get_logger(__name__)


def run(options: argparse.Namespace) -> int:
    """Receive until SIGTERM or SIGINT."""
    with process(options, "receive") as own:
        receiver = receiver_of(own.settings, connect(own.database_url, pool_size=10))
        receiver.start()
        log.info("receiving", port=receiver.port)
        own.stop.wait()
        receiver.stop()
    return 0


def receiver_of(settings: Settings, engine: Engine) -> Receiver:
    """Return the DICOM door, not listening yet."""
    dicom = settings.file.dicom
    spool = prepare_spool(settings.home / "spool", int(settings.file.storage.min_free_gb * 1e9))
    peers = PeerList(tuple(Peer(one.ae_title, one.host) for one in dicom.peers))
    where = ReceiverSettings(dicom.ae_title, dicom.host, dicom.port)
    return Receiver(where, peers, spool, receiving_of(settings, engine), IntakeRows(engine))


def receiving_of(settings: Settings, engine: Engine) -> Receiving:
    """Return steps 1 and 2 of the main job."""
    completeness = settings.file.completeness
    rule = CompletionRule(
        quiet_period=timedelta(seconds=completeness.quiet_period_s),
        settle_period=timedelta(seconds=completeness.settle_period_s),
    )
    return Receiving(
        DatabaseTransactions(engine), SystemClock(), offers_of(engine), settings.target_times, rule
    )  # fmt: skip
