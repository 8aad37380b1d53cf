"""`acuity receive`: one receiver process."""

import argparse
import ssl
from dataclasses import replace
from datetime import timedelta

import structlog
from sqlalchemy import Engine

from deploy.bundles import offers_of
from deploy.clock import SystemClock
from deploy.dimse_services import peers_of, services_of, tls_files_of
from deploy.process import process
from deploy.routing import router_of
from deploy.settings import DicomSection, Settings, TlsSection
from dicom_gateway.group_commit import GroupCommit
from dicom_gateway.receiver import Receiver, ReceiverSettings
from dicom_gateway.spool import prepare_spool
from dicom_gateway.storing import Storing
from dicom_gateway.upper_layer.association import Timeouts
from dicom_gateway.upper_layer.slots import Limits
from dicom_gateway.upper_layer.tls import server_context
from dicom_gateway.web_intake import SignedIn
from storage.arrivals import ArrivalRows
from storage.database import DatabaseTransactions, connect
from storage.intake import IntakeRows
from triage.completion import CompletionRule
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
    intake, notes, services = receiving_of(settings, engine), IntakeRows(engine), services_of(settings, engine)
    return Receiver(receiver_settings(dicom), peers_of(settings), spool, intake, notes, services)


def receiver_settings(dicom: DicomSection) -> ReceiverSettings:
    """Return where to listen and what is allowed there; raises InvalidSetting for TLS files that cannot be used."""
    return ReceiverSettings(
        ae_title=dicom.ae_title,
        host=dicom.host,
        port=dicom.port,
        limits=Limits(dicom.associations, dicom.associations_per_address, dicom.echo_associations),
        timeouts=Timeouts(dicom.request_timeout_s, dicom.idle_timeout_s),
        tls=_tls(dicom.tls),
    )


def receiving_of(settings: Settings, engine: Engine) -> Receiving:
    """Return steps 1 and 2 of the main job."""
    completeness = settings.file.completeness
    rule = CompletionRule(
        quiet_period=timedelta(seconds=completeness.quiet_period_s),
        settle_period=timedelta(seconds=completeness.settle_period_s),
    )
    transactions, offers = DatabaseTransactions(engine), offers_of(engine)
    router = router_of(settings)
    return Receiving(
        transactions, SystemClock(), offers, settings.target_times, rule, ArrivalRows(engine),
        router if router.rules else None,
    )  # fmt: skip


def storing_of(settings: Settings, engine: Engine) -> Storing:
    """Return the way of C-STORE for what this process takes in itself, from senders that it knows already."""
    spool = prepare_spool(settings.home / "spool", int(settings.file.storage.min_free_gb * 1e9))
    # Through the pool of this process: the receivers' short way keeps a connection of its own open.
    receiving = replace(receiving_of(settings, engine), arrivals=None)
    return Storing(SignedIn(), spool, GroupCommit(spool, receiving), IntakeRows(engine))


def _tls(tls: TlsSection) -> ssl.SSLContext | None:
    files = tls_files_of(tls)
    return None if files is None else server_context(files)
