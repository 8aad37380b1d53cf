"""`acuity web`: the page and its API."""

import argparse
from datetime import timedelta

from sqlalchemy import Engine

from deploy.bundles import sound_bundles
from deploy.clock import SystemClock
from deploy.dicomweb import dicomweb_on
from deploy.process import process
from deploy.rules_in_use import RulesInUse
from deploy.secret_files import provider_secret
from deploy.settings import Settings
from deploy.site_ppvs import SitePpvs
from deploy.stream_looks import StreamLooks
from inference.display import FrameReader
from storage.accounts import AccountRows
from storage.alarms import AlarmRows
from storage.audit import AuditTrail
from storage.change_feed import ChangeListener
from storage.database import DatabaseTransactions, connect
from storage.deliveries import DeliveryLedger
from storage.evidence import EvidenceRows
from storage.gateway import GatewayReader
from storage.images import ImageFiles
from storage.incidents import IncidentReader
from storage.model_registry import ModelRows
from storage.preferences import PreferenceRows
from storage.provider_accounts import ProviderAccounts
from storage.saved_views import SavedViews
from storage.site_rights import SiteRightsRows
from storage.worklist_rows import WorklistReader
from storage.workload import WorkloadReader
from triage.reader_work import ReaderWork
from validation.pdf import as_pdf
from worklist.app import create_app
from worklist.oidc import Provider, ProviderSettings, SignIn
from worklist.ports import WorklistServices
from worklist.server import listening_socket, server
from worklist.settings import LOOPBACK_HOSTS, WebSettings


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    with process(options, "web") as own:
        web = own.settings.file.web
        engine = connect(own.database_url, pool_size=10)
        sign_in = sign_in_of(own.settings, engine)
        app = create_app(services_on(engine, own.settings), web_settings(own.settings), sign_in)
        server(app).run(sockets=[listening_socket(web.host, web.port)])
    return 0


def services_on(engine: Engine, settings: Settings) -> WorklistServices:
    """Return what the page and its API work with."""
    frames = FrameReader()
    return WorklistServices(
        rows=WorklistReader(engine),
        site_ppv=SitePpvs(engine, SystemClock()).of,
        changes=ChangeListener(engine),
        accounts=AccountRows(engine),
        incidents=IncidentReader(engine),
        alarms=AlarmRows(engine),
        streams=StreamLooks(engine, settings, SystemClock()),
        workload=WorkloadReader(engine),
        clock=SystemClock(),
        work=ReaderWork(DatabaseTransactions(engine), SystemClock(), settings.target_times),
        audit=AuditTrail(engine),
        files=ImageFiles(engine),
        frames=frames,
        evidence=EvidenceRows(engine),
        as_pdf=as_pdf,
        deliveries=DeliveryLedger(engine),
        views=SavedViews(engine),
        preferences=PreferenceRows(engine),
        gateway=GatewayReader(engine),
        models=ModelRows(engine),
        site_rights=SiteRightsRows(engine),
        rules=RulesInUse(engine, settings),
        localising=localising_models(settings),
        dicomweb=dicomweb_on(engine, settings, frames),
    )


def localising_models(settings: Settings) -> frozenset[str]:
    """Return the models of this machine whose bundle lets the page show where they see something."""
    return frozenset(one.identity.name for one in sound_bundles(settings) if one.spec.display_policy == "localising")


def web_settings(settings: Settings) -> WebSettings:
    """Return what the administrator decided about the page."""
    web, glass = settings.file.web, settings.file.break_glass
    hosts = (*LOOPBACK_HOSTS, web.host, *web.allowed_hosts)
    return WebSettings(
        https=web.https,
        allowed_hosts=hosts,
        viewer_url=web.viewer_url,
        data_folder=settings.home,
        kept_free_bytes=int(settings.file.storage.min_free_gb * 1e9),
        break_glass_lasts=timedelta(hours=glass.hours) if glass.allowed else None,
        destinations={one.name: f"{one.ae_title} at {one.host}:{one.port}" for one in settings.file.destinations},
    )


def sign_in_of(settings: Settings, engine: Engine) -> SignIn | None:
    """Return the identity provider of the settings, None where they name none; raises InvalidSetting."""
    provider = settings.file.provider
    if not provider.name:
        return None
    about = ProviderSettings(
        name=provider.name,
        issuer=provider.issuer,
        client_id=provider.client_id,
        client_secret=provider_secret(settings),
        page_url=settings.page_url,
        scopes=provider.scopes,
        name_claim=provider.name_claim,
        role_claim=provider.role_claim,
        roles=provider.roles,
        site_claim=provider.site_claim,
        sites=provider.sites,
    )
    return SignIn(Provider(about), ProviderAccounts(engine))
