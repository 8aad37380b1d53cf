"""Builds the objects of each process from the settings; the one place where the layers meet."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from deploy.settings import Settings
from dicom_gateway.peers import Peer, PeerList
from dicom_gateway.receiver import Receiver, ReceiverSettings
from dicom_gateway.results.writer import DicomReportWriter
from dicom_gateway.sender import Destination, DicomSender
from dicom_gateway.spool import prepare_spool
from inference.analyser import BundleAnalyser
from inference.runtime import ProviderPolicy
from models.bundle import Bundle
from models.registry import installed_bundles
from storage.accounts import AccountRows
from storage.change_feed import ChangeListener
from storage.database import DatabaseTransactions
from storage.incidents import IncidentReader
from storage.intake import IntakeRows
from storage.worklist_rows import WorklistReader
from storage.workload import WorkloadReader
from triage.ports import CompletionRule, ModelOffer
from triage.workflow import Delivery, Receiving, Triage
from worklist.ports import WorklistServices
from worklist.settings import LOOPBACK_HOSTS, WebSettings


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The real time; satisfies `triage.ports.Clock`."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def spool_folder(settings: Settings) -> Path:
    """Return where received instances lie."""
    return settings.home / "spool"


def bundles_of(settings: Settings) -> tuple[Bundle, ...]:
    """Return the bundles in service; raises InvalidBundle."""
    extra = settings.file.inference.bundles
    return installed_bundles(Path(extra) if extra else None)


def receiving(settings: Settings, engine: Engine) -> Receiving:
    """Return steps 1 and 2 of the main job."""
    completion = settings.file.completion
    rule = CompletionRule(
        quiet_period=timedelta(seconds=completion.quiet_period_s),
        settle_period=timedelta(seconds=completion.settle_period_s),
    )
    offers = tuple(ModelOffer(one.identity, one.spec.accepts, one.spec.task) for one in bundles_of(settings))
    return Receiving(DatabaseTransactions(engine), SystemClock(), offers, settings.target_times, rule)


def receiver(settings: Settings, engine: Engine) -> Receiver:
    """Return the DICOM door, not listening yet."""
    dicom = settings.file.dicom
    spool = prepare_spool(spool_folder(settings), int(settings.file.storage.min_free_gb * 1e9))
    peers = PeerList(tuple(Peer(one.ae_title, one.host) for one in dicom.peers))
    where = ReceiverSettings(dicom.ae_title, dicom.host, dicom.port)
    return Receiver(where, peers, spool, receiving(settings, engine), IntakeRows(engine))


def analyser(settings: Settings) -> BundleAnalyser:
    """Return the models with their runtime, not loaded yet."""
    inference = settings.file.inference
    policy = ProviderPolicy.REQUIRE_GPU if inference.device == "cuda" else ProviderPolicy.CPU_ONLY
    return BundleAnalyser(bundles_of(settings), policy, inference.threads)


def triage(settings: Settings, engine: Engine, models: BundleAnalyser) -> Triage:
    """Return steps 3 to 7 of the main job."""
    return Triage(DatabaseTransactions(engine), SystemClock(), models, settings.target_times)


def sender(settings: Settings) -> DicomSender:
    """Return the way to every destination."""
    destinations = tuple(
        Destination(one.name, one.ae_title, one.host, one.port, one.send) for one in settings.file.destinations
    )
    return DicomSender(destinations, settings.file.dicom.ae_title)


def delivery(settings: Settings, engine: Engine) -> Delivery:
    """Return step 9 of the main job."""
    zone = ZoneInfo(settings.file.site.time_zone)
    writer = DicomReportWriter(settings.home / "results", time_zone=zone)
    return Delivery(DatabaseTransactions(engine), SystemClock(), writer, sender(settings))


def web_services(engine: Engine) -> WorklistServices:
    """Return what the page and its API work with."""
    return WorklistServices(
        rows=WorklistReader(engine),
        changes=ChangeListener(engine),
        accounts=AccountRows(engine),
        incidents=IncidentReader(engine),
        workload=WorkloadReader(engine),
        clock=SystemClock(),
    )


def web_settings(settings: Settings) -> WebSettings:
    """Return what the administrator decided about the page."""
    web = settings.file.web
    return WebSettings(https=web.https, allowed_hosts=(*LOOPBACK_HOSTS, web.host, *web.allowed_hosts))
