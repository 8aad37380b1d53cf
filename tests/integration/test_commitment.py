"""Storage Commitment with peers: only what is kept is committed, and no request is lost."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel
from sqlalchemy import select

from deploy.dimse_services import STORAGE_COMMITMENT, add_commitment_tasks
from deploy.jobs import open_queue
from dicom_gateway.commitment import COMMITMENT_INSTANCE, CommitmentService
from dicom_gateway.committing import GIVE_UP_AFTER, Committing
from dicom_gateway.peers import Peer, PeerList
from dicom_gateway.sender import Destination, DicomSender
from storage.commitments import CommitmentRows
from storage.incidents import IncidentReader
from storage.instances import list_instances
from storage.schema_of_announcements import commitment_requests, confirmations
from storage.work_queue import DELIVERY_QUEUE
from tests.builders import CT_IMAGE_STORAGE, STUDY, a_file, an_instance
from tests.integration.test_receiver import a_ct, encoded, store_raw
from tests.integration.test_workflow import ScriptedSender, jobs
from tests.running import ORTHANC, free_port, orthanc_running, wait_for
from triage.errors import DestinationUnavailable
from triage.identifiers import SopInstanceUid
from triage.ports import ResultObject
from triage.workflow import Delivery

MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"


def work_once(queue) -> None:
    async def run() -> None:
        async with queue.open_async():
            await queue.run_worker_async(queues=[DELIVERY_QUEUE], wait=False, install_signal_handlers=False)

    asyncio.run(run())


class Scanner:
    """A modality that asks for commitment and hears the reports on a port of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reports: list[tuple[int, Dataset]] = []

    @contextmanager
    def listening(self) -> Iterator[None]:
        entity = AE(ae_title="CT1")
        entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)

        def hear(event: evt.Event) -> tuple[int, None]:
            self.reports.append((event.event_type, event.event_information))
            return 0x0000, None

        server = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, hear)]
        )
        yield
        server.shutdown()

    def ask(self, port: int, *references: tuple[str, str], transaction: str = "2.25.77", ae_title: str = "CT1") -> int:
        request = Dataset()
        request.TransactionUID = transaction
        request.ReferencedSOPSequence = [reference(*one) for one in references]
        entity = AE(ae_title=ae_title)
        entity.add_requested_context(StorageCommitmentPushModel, ExplicitVRLittleEndian)
        association = entity.associate("127.0.0.1", port)
        if not association.is_established:
            return -1
        status, _ = association.send_n_action(request, 1, StorageCommitmentPushModel, COMMITMENT_INSTANCE)
        association.release()
        return int(status.Status)


def reference(sop_class: str, uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
    return item


def said(report: Dataset) -> dict[str, int]:
    """Return each instance of a report with its failure reason, 0 where it is committed."""
    found = {str(item.ReferencedSOPInstanceUID): 0 for item in report.get("ReferencedSOPSequence", [])}
    return found | {
        str(item.ReferencedSOPInstanceUID): item.FailureReason for item in report.get("FailedSOPSequence", [])
    }


@pytest.fixture
def scanner() -> Scanner:
    return Scanner(free_port())


@pytest.fixture
def peers(scanner) -> PeerList:
    return PeerList((Peer("CT1", "127.0.0.1", scanner.port), Peer("MUTE", "127.0.0.1")))


@pytest.fixture
def start_committing(start_receiver, engine, peers):
    def start(is_offered: bool = True):
        service = CommitmentService(peers, CommitmentRows(engine), is_offered)
        return start_receiver(peers=peers, services={STORAGE_COMMITMENT: service})

    return start


@pytest.fixture
def committing(engine, peers, clock) -> Committing:
    return Committing(CommitmentRows(engine), DicomSender((), "ACUITY"), peers, clock)


@pytest.fixture
def queue(database_url, committing):
    queue = open_queue(database_url)
    add_commitment_tasks(queue, committing)
    return queue


def test_only_what_is_kept_under_the_right_class_is_committed(start_committing, scanner, queue):
    receiver = start_committing()
    assert store_raw(receiver.port, encoded(a_ct())) == 0

    status = scanner.ask(receiver.port, (CT_IMAGE_STORAGE, "2.25.11"), (CT_IMAGE_STORAGE, "2.25.404"))
    with scanner.listening():
        work_once(queue)

    ((event, report),) = scanner.reports
    assert (status, event, report.TransactionUID) == (0, 2, "2.25.77")
    assert said(report) == {"2.25.11": 0, "2.25.404": 0x0112}


def test_an_instance_under_another_class_is_a_conflict(start_committing, scanner, queue):
    receiver = start_committing()
    store_raw(receiver.port, encoded(a_ct()))

    scanner.ask(receiver.port, (MR_IMAGE_STORAGE, "2.25.11"))
    with scanner.listening():
        work_once(queue)

    assert said(scanner.reports[0][1]) == {"2.25.11": 0x0119}


def test_a_file_that_is_not_what_was_received_is_not_committed(start_committing, scanner, queue, engine):
    receiver = start_committing()
    store_raw(receiver.port, encoded(a_ct()))
    path = Path(list_instances(engine)[0]["path"])
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")

    scanner.ask(receiver.port, (CT_IMAGE_STORAGE, "2.25.11"))
    with scanner.listening():
        work_once(queue)

    assert said(scanner.reports[0][1]) == {"2.25.11": 0x0110}


def test_the_report_waits_until_the_scanner_listens(start_committing, scanner, queue, engine):
    receiver = start_committing()
    store_raw(receiver.port, encoded(a_ct()))
    scanner.ask(receiver.port, (CT_IMAGE_STORAGE, "2.25.11"))

    work_once(queue)
    waiting = states(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'")
    with scanner.listening():
        work_once(queue)
        work_once(queue)

    assert (waiting, states(engine)) == (["planned"], ["reported"])
    assert [(event, said(report)) for event, report in scanner.reports] == [(1, {"2.25.11": 0})]


def test_the_same_request_again_is_reported_again(start_committing, scanner, queue):
    receiver = start_committing()
    store_raw(receiver.port, encoded(a_ct()))

    with scanner.listening():
        for _ in range(2):
            assert scanner.ask(receiver.port, (CT_IMAGE_STORAGE, "2.25.11")) == 0
            work_once(queue)

    assert [event for event, _ in scanner.reports] == [1, 1]


@pytest.mark.parametrize(("ae_title", "offered"), [("STRANGER", True), ("MUTE", True), ("CT1", False)])
def test_who_is_not_listed_or_cannot_be_told_is_refused(start_committing, scanner, engine, ae_title, offered):
    receiver = start_committing(offered)

    assert scanner.ask(receiver.port, (CT_IMAGE_STORAGE, "2.25.11"), ae_title=ae_title) == 0x0124
    assert states(engine) == []


def test_by_default_no_commitment_is_negotiated(start_receiver, scanner):
    assert scanner.ask(start_receiver().port, (CT_IMAGE_STORAGE, "2.25.11")) == -1


def test_a_request_that_names_nothing_is_refused_and_the_next_one_served(start_committing, scanner, engine):
    receiver = start_committing()

    assert scanner.ask(receiver.port) == 0x0106
    assert scanner.ask(receiver.port, (CT_IMAGE_STORAGE, "2.25.11"), transaction="2.25.1.x") == 0x0106
    assert scanner.ask(receiver.port, (CT_IMAGE_STORAGE, "2.25.11")) == 0
    assert states(engine) == ["planned"]


def states(engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(commitment_requests.c.state)))


@pytest.fixture
def delivered(receiving, transactions, tmp_path, clock):
    """Return a result object on disk of a study that is known, with its confirmation planned."""
    receiving.register_instance(an_instance())
    path = tmp_path / "result.dcm"
    content = a_ct()
    content.file_meta.MediaStorageSOPClassUID = CT_IMAGE_STORAGE
    content.save_as(path, enforce_file_format=True)
    result = ResultObject(SopInstanceUid("2.25.11"), CT_IMAGE_STORAGE, STUDY, 1, "sr", a_file().sha256, str(path))
    with transactions.begin() as records:
        assert records.results.add_confirmation(result, "PACS")
        assert not records.results.add_confirmation(result, "PACS")
    clock.time = datetime.now(UTC)
    return result


@pytest.mark.skipif(ORTHANC is None, reason="Orthanc is missing: run tests/install_peers.sh")
def test_orthanc_asks_for_commitment_and_understands_the_report(start_receiver, engine, tmp_path, clock, database_url):
    with orthanc_running(tmp_path / "orthanc") as orthanc:
        peers = PeerList((Peer("ORTHANC", "127.0.0.1", orthanc.dicom_port),))
        service = CommitmentService(peers, CommitmentRows(engine), True)
        receiver = start_receiver(peers=peers, services={STORAGE_COMMITMENT: service})
        orthanc.know("ACUITY", receiver.port)
        store_raw(receiver.port, encoded(a_ct()), ae_title="ORTHANC")
        queue = open_queue(database_url)
        add_commitment_tasks(queue, Committing(CommitmentRows(engine), DicomSender((), "ACUITY"), peers, clock))

        wanted = [{"SOPClassUID": CT_IMAGE_STORAGE, "SOPInstanceUID": uid} for uid in ("2.25.11", "2.25.404")]
        path = orthanc.post("/modalities/ACUITY/storage-commitment", {"DicomInstances": wanted})["Path"]
        work_once(queue)
        report = orthanc.get(path)

    assert report["Status"] == "Failure"
    assert [one["SOPInstanceUID"] for one in report["Success"]] == ["2.25.11"]
    assert [(one["SOPInstanceUID"], one["FailureReason"]) for one in report["Failures"]] == [("2.25.404", 0x0112)]


@pytest.mark.skipif(ORTHANC is None, reason="Orthanc is missing: run tests/install_peers.sh")
def test_orthanc_confirms_what_it_keeps_and_refuses_what_it_does_not(
    start_committing, engine, tmp_path, clock, delivered, transactions
):
    with orthanc_running(tmp_path / "orthanc") as orthanc:
        orthanc.know("ACUITY", start_committing(is_offered=False).port)
        pacs = Destination("PACS", "ORTHANC", "127.0.0.1", orthanc.dicom_port, frozenset({"sr"}))
        committing = Committing(CommitmentRows(engine), DicomSender((pacs,), "ACUITY"), PeerList(), clock)
        never_sent = replace(delivered, sop_instance_uid=SopInstanceUid("2.25.404"))
        with transactions.begin() as records:
            records.results.add_confirmation(never_sent, "PACS")
        committing.sender.send(delivered, "PACS")

        for one in (delivered, never_sent):
            with pytest.raises(DestinationUnavailable, match="has not yet said"):
                committing.confirm(one.sop_instance_uid, "PACS")
        wait_for(lambda: confirmed(engine)[1] == {"confirmed", "refused"}, 30, lambda: confirmed(engine))
        committing.confirm("2.25.11", "PACS")

    assert confirmed(engine)[0] == {"2.25.11": "confirmed", "2.25.404": "refused"}
    (incident,) = IncidentReader(engine).newest(10).incidents
    assert (incident.kind, incident.sop_instance_uid, incident.origin) == ("refused_delivery", "2.25.404", "PACS")
    assert "not committed, reason 0112H" in incident.reason


def test_a_destination_that_never_reports_is_an_incident_after_a_day(committing, engine, clock, delivered):
    clock.forward(seconds=GIVE_UP_AFTER.total_seconds() + 60)

    committing.confirm(delivered.sop_instance_uid, "PACS")

    assert confirmed(engine)[0] == {"2.25.11": "refused"}
    assert "no report within 24 h" in IncidentReader(engine).newest(10).incidents[0].reason


@pytest.mark.parametrize("confirming", [frozenset(), frozenset({"ARCHIVE"})])
def test_a_delivery_is_confirmed_only_where_the_settings_say_so(transactions, clock, delivered, engine, confirming):
    with transactions.begin() as records:
        records.results.add_object(delivered)
        records.results.add_delivery(delivered.sop_instance_uid, "ARCHIVE")

    Delivery(transactions, clock, None, ScriptedSender(), confirming).deliver_result("2.25.11", "ARCHIVE")

    tasks = [(task, args["destination"]) for task, args in jobs(engine)]
    assert (("confirm_delivery", "ARCHIVE") in tasks) == bool(confirming)


def confirmed(engine) -> tuple[dict[str, str], set[str]]:
    with engine.connect() as connection:
        rows = connection.execute(select(confirmations.c.sop_instance_uid, confirmations.c.state)).all()
    return dict(map(tuple, rows)), {row.state for row in rows}
