"""The DIMSE services beside Storage: what the receiver answers, and the jobs that belong to it."""

from procrastinate import App
from sqlalchemy import Engine

from deploy.clock import SystemClock
from deploy.jobs import BackOff
from deploy.settings import Settings
from dicom_gateway.commitment import CommitmentService
from dicom_gateway.committing import Committing
from dicom_gateway.peers import Peer, PeerList
from dicom_gateway.sender import DicomSender
from dicom_gateway.storing import Service
from storage.commitments import CommitmentRows
from storage.work_queue import COMMITMENT_TASK, CONFIRMATION_TASK, DELIVERY_QUEUE

STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"


def peers_of(settings: Settings) -> PeerList:
    """Return who may store and ask."""
    return PeerList(tuple(Peer(one.ae_title, one.host, one.port, one.may_query) for one in settings.file.dicom.peers))


def services_of(settings: Settings, engine: Engine) -> dict[str, Service]:
    """Return what the receiver answers beside C-STORE and C-ECHO, by SOP class."""
    peers, services = peers_of(settings), dict[str, Service]()
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
