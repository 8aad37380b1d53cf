"""Results reach real archives once, and every other answer is either worth another try or final."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ComprehensiveSRStorage, CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import Verification
from structlog.testing import capture_logs

from dicom_gateway.sender import Answer, Destination, DicomSender, SenderLimits, answer_of
from triage.errors import DestinationRefused, DestinationUnavailable, UnreadableInstance
from triage.identifiers import Sha256, SopInstanceUid, StudyInstanceUid
from triage.ports import ResultObject, ResultSender

UID = SopInstanceUid("2.25.4711")
PATIENT = SenderLimits(connect_s=10, association_s=20, answer_s=20, silence_s=20)


def path_of(program: str) -> str | None:
    # Debian keeps Orthanc in /usr/sbin; pynetdicom brings scripts named like DCMTK's tools into a virtual environment.
    return shutil.which(program, path=os.pathsep.join(("/usr/bin", "/usr/sbin", "/usr/local/bin")))


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(path_of(program) is None, reason=f"{program} is missing: run tests/install_peers.sh")


@dataclass(frozen=True, slots=True)
class Peer:
    """A running archive and how to reach it."""

    destination: Destination
    folder: Path
    http: str = ""


def sender_to(destination: Destination, calling_ae_title: str = "ACUITY") -> DicomSender:
    return DicomSender((destination,), calling_ae_title, PATIENT)


def loopback(port: int, ae_title: str = "PEER") -> Destination:
    return Destination("pacs", ae_title, "127.0.0.1", port, frozenset({"sr"}))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def result(tmp_path: Path) -> ResultObject:
    """A small Comprehensive SR on disk."""
    report = Dataset()
    report.SOPClassUID, report.SOPInstanceUID = ComprehensiveSRStorage, UID
    report.StudyInstanceUID, report.SeriesInstanceUID = "2.25.1", "2.25.2"
    report.SpecificCharacterSet = "ISO_IR 192"
    report.PatientName, report.PatientID, report.Modality = "Müller^Jürgen", "MRN-17", "SR"
    encoded = BytesIO()
    dcmwrite(encoded, report, implicit_vr=False, little_endian=True)
    report.file_meta = FileMetaDataset()
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = tmp_path / "result.dcm"
    report.save_as(path, enforce_file_format=True)
    digest = Sha256(hashlib.sha256(encoded.getvalue()).hexdigest())
    return ResultObject(UID, ComprehensiveSRStorage, StudyInstanceUid("2.25.1"), 1, "sr", digest, str(path))


@contextmanager
def running(command: list[str], destination: Destination, folder: Path, http: str = "") -> Iterator[Peer]:
    """Run a peer until the block ends; it is ready when it answers a C-ECHO."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 40
        while not answers(destination):
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{command[0]} did not answer within 40 s"
        yield Peer(destination, folder, http)
    finally:
        process.terminate()
        process.wait(timeout=15)


def answers(destination: Destination) -> bool:
    try:
        sender_to(destination).verify(destination.name)
    except DestinationUnavailable:
        return False
    return True


@pytest.fixture
def storescp(tmp_path: Path) -> Iterator[Peer]:
    folder, port = tmp_path / "storescp", free_port()
    folder.mkdir()
    command = [
        str(path_of("storescp")),
        "--aetitle",
        "PEER",
        "--bit-preserving",
        "--output-directory",
        str(folder),
        str(port),
    ]
    with running(command, loopback(port), folder) as peer:
        yield peer


@contextmanager
def running_orthanc(folder: Path) -> Iterator[Peer]:
    """Run an Orthanc that keeps what it gets in `folder`."""
    port, http_port = free_port(), free_port()
    folder.mkdir()
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "HttpPort": http_port,
        "DicomPort": port,
        "DicomAet": "PEER",
        "DicomCheckCalledAet": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    command = [str(path_of("Orthanc")), str(folder / "orthanc.json")]
    with running(command, loopback(port), folder, f"http://127.0.0.1:{http_port}") as peer:
        yield peer


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Peer]:
    with running_orthanc(tmp_path / "orthanc") as peer:
        yield peer


def asked(peer: Peer, path: str):
    with urllib.request.urlopen(f"{peer.http}{path}", timeout=10) as response:
        return json.load(response)


@contextmanager
def scp(
    on_store: Callable[[evt.Event], int], sop_class: str = ComprehensiveSRStorage, **settings: object
) -> Iterator[Destination]:
    """Run a storage SCP in this process whose answers the test chooses."""
    entity = AE(ae_title="PEER")
    entity.add_supported_context(sop_class, [ExplicitVRLittleEndian])
    entity.add_supported_context(Verification)
    for name, value in settings.items():
        setattr(entity, name, value)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)])
    try:
        yield loopback(server.socket.getsockname()[1])
    finally:
        server.shutdown()


def test_the_sender_is_what_the_workflow_asks_for() -> None:
    port: ResultSender = DicomSender((), "ACUITY")

    assert port.destinations_for("sr") == ()


def test_a_kind_goes_where_the_settings_send_it() -> None:
    both = Destination("pacs", "PACS", "127.0.0.1", 104, frozenset({"sr", "seg"}))
    only_sr = Destination("archive", "ARCHIVE", "127.0.0.1", 105, frozenset({"sr"}))
    sender = DicomSender((both, only_sr), "ACUITY")

    assert sender.destinations_for("sr") == ("pacs", "archive")
    assert sender.destinations_for("seg") == ("pacs",)
    assert sender.destinations_for("sc") == ()


@needs("storescp")
def test_dcmtk_stores_the_bytes_that_are_on_our_disk(storescp: Peer, result: ResultObject) -> None:
    sender_to(storescp.destination).send(result, "pacs")

    (stored,) = storescp.folder.iterdir()
    read = dcmread(stored)
    assert (read.SOPInstanceUID, str(read.PatientName)) == (UID, "Müller^Jürgen")
    content = stored.read_bytes()
    meta_length = int.from_bytes(content[140:144], "little")
    assert hashlib.sha256(content[144 + meta_length :]).hexdigest() == result.sha256


@needs("Orthanc")
def test_orthanc_has_the_report_once_even_when_it_is_sent_twice(orthanc: Peer, result: ResultObject) -> None:
    sender = sender_to(orthanc.destination)

    sender.send(result, "pacs")
    sender.send(result, "pacs")

    (instance,) = asked(orthanc, "/instances")
    tags = asked(orthanc, f"/instances/{instance}/simplified-tags")
    assert (tags["SOPInstanceUID"], tags["PatientName"], tags["PatientID"]) == (UID, "Müller^Jürgen", "MRN-17")


@needs("Orthanc")
def test_an_archive_that_is_called_by_a_wrong_name_refuses_for_good(orthanc: Peer, result: ResultObject) -> None:
    misnamed = loopback(orthanc.destination.port, ae_title="NOBODY")

    with pytest.raises(DestinationRefused, match="called AE title not recognised"):
        sender_to(misnamed).send(result, "pacs")


def test_the_peer_sees_our_bytes_our_name_and_one_context(result: ResultObject) -> None:
    seen: dict[str, object] = {}

    def store(event: evt.Event) -> int:
        seen["sha256"] = hashlib.sha256(event.request.DataSet.getvalue()).hexdigest()
        seen["calling"] = event.assoc.requestor.ae_title
        seen["contexts"] = len(event.assoc.requestor.requested_contexts)
        return 0x0000

    with scp(store) as destination:
        sender_to(destination).send(result, "pacs")

    assert seen == {"sha256": result.sha256, "calling": "ACUITY", "contexts": 1}


def test_our_socket_does_not_wait_for_more_to_send(result: ResultObject, monkeypatch: pytest.MonkeyPatch) -> None:
    options: list[tuple[int, ...]] = []
    original = socket.socket.setsockopt

    def noting(self: socket.socket, *arguments: int) -> None:
        options.append(arguments)
        original(self, *arguments)

    monkeypatch.setattr(socket.socket, "setsockopt", noting)
    with scp(lambda _event: 0x0000) as destination:
        sender_to(destination).send(result, "pacs")

    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in options


@pytest.mark.parametrize("status", [0x0000, 0x0111, 0xB000, 0xB006, 0xB007])
def test_stored_and_stored_with_a_warning_are_confirmed(result: ResultObject, status: int) -> None:
    with capture_logs() as logs, scp(lambda _event: status) as destination:
        sender_to(destination).send(result, "pacs")

    warned = [log for log in logs if log["event"] == "result_stored_with_warning"]
    assert [log["status"] for log in warned] == ([f"{status:04X}H"] if status >= 0xB000 else [])


@pytest.mark.parametrize("status", [0x0122, 0x0124, 0xA900, 0xC000, 0xC211])
def test_a_refusal_is_final_and_names_the_status(result: ResultObject, status: int) -> None:
    with scp(lambda _event: status) as destination, pytest.raises(DestinationRefused) as caught:
        sender_to(destination).send(result, "pacs")

    assert str(caught.value) == f"pacs: C-STORE of {UID} answered {status:04X}H, 0000H needed"


@pytest.mark.parametrize("status", [0xA700, 0xA701, 0x0110, 0x0213])
def test_a_transient_failure_is_worth_another_try(result: ResultObject, status: int) -> None:
    with scp(lambda _event: status) as destination, pytest.raises(DestinationUnavailable, match=f"{status:04X}H"):
        sender_to(destination).send(result, "pacs")


@given(st.integers(0, 0xFFFF))
def test_every_status_is_confirmed_or_final_or_worth_another_try(status: int) -> None:
    answer = answer_of(status)

    if 0xB000 <= status <= 0xBFFF:
        assert answer is Answer.WARNING
    elif 0xA900 <= status <= 0xA9FF or 0xC000 <= status <= 0xCFFF or status == 0x0122:
        assert answer is Answer.REFUSED
    elif 0xA700 <= status <= 0xA7FF or status == 0x0110:
        assert answer is Answer.TRY_LATER
    elif status in (0x0000, 0x0111):
        assert answer is Answer.CONFIRMED
    elif answer in (Answer.CONFIRMED, Answer.WARNING):
        # The only others that mean stored: the general warnings of PS3.7 annex C.
        assert status in (0x0001, 0x0107, 0x0116)


def test_a_closed_port_is_worth_another_try(result: ResultObject) -> None:
    closed = loopback(free_port())

    with pytest.raises(DestinationUnavailable, match=r"pacs \(PEER@127\.0\.0\.1:\d+\): no connection"):
        sender_to(closed).send(result, "pacs")
    with pytest.raises(DestinationUnavailable):
        sender_to(closed).verify("pacs")


def test_a_host_without_an_address_is_worth_another_try(result: ResultObject, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*arguments: object, **named: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    nowhere = Destination("pacs", "PEER", "pacs.invalid", 104, frozenset({"sr"}))

    with pytest.raises(DestinationUnavailable, match=r"host pacs\.invalid cannot be resolved"):
        sender_to(nowhere).send(result, "pacs")


def test_a_peer_that_does_not_know_us_refuses_for_good(result: ResultObject) -> None:
    with (
        scp(lambda _event: 0x0000, require_calling_aet=["SOMEONE"]) as destination,
        pytest.raises(DestinationRefused, match="calling AE title not recognised"),
    ):
        sender_to(destination).send(result, "pacs")


def test_a_peer_that_is_busy_is_worth_another_try(result: ResultObject) -> None:
    with scp(lambda _event: 0x0000, maximum_associations=1) as destination:
        busy = AE(ae_title="BUSY")
        busy.add_requested_context(Verification)
        holding = busy.associate(destination.host, destination.port)
        assert holding.is_established
        with pytest.raises(
            DestinationUnavailable, match=r"association rejected, Rejected Transient, Local limit exceeded"
        ):
            sender_to(destination).send(result, "pacs")
        holding.release()


def test_a_peer_that_takes_no_reports_refuses_for_good(result: ResultObject, monkeypatch: pytest.MonkeyPatch) -> None:
    # Our own receiver switches this on for the whole process, and then the peer below would take everything.
    monkeypatch.setattr(_config, "UNRESTRICTED_STORAGE_SERVICE", False)
    with (
        scp(lambda _event: 0x0000, sop_class=CTImageStorage) as destination,
        pytest.raises(DestinationRefused, match=f"does not accept SOP class {ComprehensiveSRStorage}"),
    ):
        sender_to(destination).send(result, "pacs")


def test_a_peer_that_aborts_instead_of_answering_is_worth_another_try(result: ResultObject) -> None:
    def abort(event: evt.Event) -> int:
        event.assoc.abort()
        return 0x0000

    with scp(abort) as destination, pytest.raises(DestinationUnavailable, match="aborted or timed out"):
        sender_to(destination).send(result, "pacs")


def test_a_peer_that_is_silent_is_worth_another_try(result: ResultObject) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        impatient = DicomSender((loopback(silent.getsockname()[1]),), "ACUITY", SenderLimits(1, 0.5, 0.5, 1))

        with pytest.raises(DestinationUnavailable, match="not answered in time"):
            impatient.send(result, "pacs")


def test_an_echo_is_answered_or_said_why_not() -> None:
    with scp(lambda _event: 0x0000) as destination:
        sender_to(destination).verify("pacs")

    with (
        scp(lambda _event: 0x0000, require_calling_aet=["SOMEONE"]) as stranger,
        pytest.raises(DestinationRefused, match="calling AE title not recognised"),
    ):
        sender_to(stranger).verify("pacs")


def test_a_destination_that_is_not_in_the_settings_is_refused(result: ResultObject) -> None:
    with pytest.raises(DestinationRefused, match="destination attic: not in the settings, which name pacs"):
        sender_to(loopback(104)).send(result, "attic")


def test_a_lost_file_is_an_error_that_names_the_result(result: ResultObject) -> None:
    Path(result.path).unlink()

    with pytest.raises(UnreadableInstance, match=f"result {UID}: FileNotFoundError"):
        sender_to(loopback(104)).send(result, "pacs")
