"""The DIMSE services beside Storage: what the receiver answers, and the jobs that belong to it."""

from pathlib import Path

from procrastinate import App
from sqlalchemy import Engine

from deploy.clock import SystemClock
from deploy.jobs import BackOff
from deploy.settings import Settings, TlsSection
from dicom_gateway.commitment import CommitmentService
from dicom_gateway.committing import Committing
from dicom_gateway.peers import Peer, PeerList
from dicom_gateway.procedure_steps import ProcedureStepService
from dicom_gateway.querying import STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE, QueryService
from dicom_gateway.sender import Destination, DicomSender
from dicom_gateway.storing import Service
from dicom_gateway.upper_layer.tls import TlsFiles
from storage.audit import AuditTrail
from storage.commitments import CommitmentRows
from storage.completion_signals import ProcedureStepRows
from storage.queries import QueryRows
from storage.work_queue import COMMITMENT_TASK, CONFIRMATION_TASK, DELIVERY_QUEUE

PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"


def peers_of(settings: Settings) -> PeerList:
    """Return who may store and ask."""
    return PeerList(
        tuple(
            Peer(one.ae_title, one.host, one.port, one.may_query, one.tls, one.certificates)
            for one in settings.file.dicom.peers
        )
    )


def sender_of(settings: Settings) -> DicomSender:
    """Return the way to every destination."""
    destinations = tuple(
        Destination(one.name, one.ae_title, one.host, one.port, one.send, one.tls) for one in settings.file.destinations
    )
    return DicomSender(destinations, settings.file.dicom.ae_title, tls=tls_files_of(settings.file.dicom.tls))


def tls_files_of(tls: TlsSection) -> TlsFiles | None:
    """Return the certificates of this Acuity, None where the settings name none."""
    if not tls.certificate:
        return None
    authorities = Path(tls.authorities) if tls.authorities else None
    return TlsFiles(Path(tls.certificate), Path(tls.key), authorities, tls.require_peer_certificate)


def services_of(settings: Settings, engine: Engine) -> dict[str, Service]:
    """Return what the receiver answers beside C-STORE and C-ECHO, by SOP class."""
    peers = peers_of(settings)
    services: dict[str, Service] = {PROCEDURE_STEP: ProcedureStepService(peers, ProcedureStepRows(engine))}
    if any(one.may_query for one in peers.peers):
        querying = QueryService(peers, QueryRows(engine), sender_of(settings), SystemClock(), AuditTrail(engine).note)
        services |= dict.fromkeys((STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE), querying)
    is_offered = settings.file.dicom.storage_commitment
    if is_offered or confirming(settings):
        services[STORAGE_COMMITMENT] = CommitmentService(peers, CommitmentRows(engine), is_offered)
    return services


def confirming(settings: Settings) -> frozenset[str]:
    """Return the destinations that are asked whether they keep what they got."""
    return frozenset(one.name for one in settings.file.destinations if one.confirm)


def committing_of(settings: Settings, engine: Engine, sender: DicomSender) -> Committing:
    """Return the jobs of Storage Commitment."""
    return Committing(CommitmentRows(engine), sender, peers_of(settings), SystemClock())


def add_commitment_tasks(queue: App, committing: Committing) -> None:
    """Let workers of `queue` report commitments and ask for them."""

    @queue.task(name=COMMITMENT_TASK, queue=DELIVERY_QUEUE, retry=BackOff())
    def report_commitment(ae_title: str, transaction_uid: str) -> None:
        committing.report(ae_title, transaction_uid)

    @queue.task(name=CONFIRMATION_TASK, queue=DELIVERY_QUEUE, retry=BackOff())
    def confirm_delivery(sop_instance_uid: str, destination: str) -> None:
        committing.confirm(sop_instance_uid, destination)
