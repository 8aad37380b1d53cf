"""Query/Retrieve over TLS in both directions: Orthanc speaks it itself, DCMTK's getscu through a tunnel."""

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from pydicom import dcmread

from deploy.clock import SystemClock
from deploy.dimse_services import peers_of, sender_of
from deploy.receive import receiver_settings
from deploy.settings import DicomSection, PeerSection, Settings, SettingsFile
from dicom_gateway.querying import STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE, QueryService
from storage.audit import AuditTrail
from storage.instances import list_instances
from storage.queries import QueryRows
from tests.certificates import OPENSSL, Certificates, with_certificate
from tests.integration.test_fetching import HEAD, Site, closed, fetched_lines, head_slices
from tests.integration.test_receiver import data_set_bytes
from tests.running import ORTHANC, RunningOrthanc, orthanc_running, wait_for

pytestmark = [
    pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed"),
    pytest.mark.skipif(ORTHANC is None, reason="Orthanc is missing: run tests/install_peers.sh"),
]


@contextmanager
def orthanc_over_tls(folder, certificates: Certificates) -> Iterator[RunningOrthanc]:
    """Run an Orthanc that speaks TLS alone, shows the scanner's certificate and demands one of the authority."""
    options = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": certificates.path("scanner.pem"),
        "DicomTlsPrivateKey": certificates.path("scanner.key"),
        "DicomTlsTrustedCertificates": certificates.path("authority.pem"),
    }
    with orthanc_running(folder, **options) as orthanc:
        yield orthanc


@pytest.fixture
def orthanc(tmp_path, certificates) -> Iterator[RunningOrthanc]:
    with orthanc_over_tls(tmp_path / "orthanc", certificates) as running:
        yield running


@dataclass(frozen=True)
class Asked:
    """A receiver that answers questions over TLS, and its settings."""

    settings: Settings
    port: int


@pytest.fixture
def asked(start_receiver, orthanc, tls, engine, tmp_path) -> Asked:
    asker = PeerSection(ae_title="ASKER", host="127.0.0.1", may_query=True)
    pacs = PeerSection(
        ae_title="ORTHANC", host="127.0.0.1", port=orthanc.dicom_port, may_query=True, answers_queries=True, tls=True
    )
    settings = Settings(tmp_path, SettingsFile(dicom=DicomSection(tls=tls, peers=(asker, pacs))))
    peers, rows, note = peers_of(settings), QueryRows(engine), AuditTrail(engine).note
    service = QueryService(peers, rows, sender_of(settings), SystemClock(), note)
    services = dict.fromkeys((STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE), service)
    receiver = start_receiver(peers, services=services, tls=receiver_settings(settings.file.dicom).tls)
    orthanc.know("ACUITY", receiver.port, UseDicomTls=True)
    return Asked(settings, receiver.port)


def sent_over_tls(dcmtk, certificates, port: int, ae_title: str, files: Sequence[object]) -> None:
    sent = dcmtk(
        "storescu", *with_certificate(certificates, "scanner"), "-R", "-aet", ae_title, "127.0.0.1", port, *files
    )
    assert sent.returncode == 0, sent.stderr


@contextmanager
def tunnel(port: int, certificates: Certificates) -> Iterator[int]:
    """Give a port that leads in the clear to this one over TLS, as a site has it before a system that knows no TLS."""
    context = ssl.create_default_context(cafile=certificates.path("authority.pem"))
    context.load_cert_chain(certificates.path("scanner.pem"), certificates.path("scanner.key"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        passing = threading.Thread(target=_pass_on, args=(listening, port, context))
        passing.start()
        yield listening.getsockname()[1]
        passing.join(30)


def _pass_on(listening: socket.socket, port: int, context: ssl.SSLContext) -> None:
    clear, _ = listening.accept()
    secure = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")
    with clear, secure:
        back = threading.Thread(target=_copy, args=(secure, clear))
        back.start()
        _copy(clear, secure)
        back.join(30)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while content := source.recv(65536):
            target.sendall(content)
    except OSError:
        return


def test_getscu_gets_over_tls_the_bytes_that_are_here(asked, certificates, dcmtk, engine, tmp_path):
    sent_over_tls(dcmtk, certificates, asked.port, "ASKER", head_slices(tmp_path))
    got = tmp_path / "got"
    got.mkdir()

    with tunnel(asked.port, certificates) as port:
        calling = ("-S", "-aet", "ASKER", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={HEAD}", "+B")
        done = dcmtk("getscu", *calling, "127.0.0.1", port, folder=got)

    assert done.returncode == 0, done.stderr
    kept = {one["sop_instance_uid"]: data_set_bytes(one["path"]) for one in list_instances(engine)}
    assert len(kept) == 6
    assert {str(dcmread(file).SOPInstanceUID): data_set_bytes(str(file)) for file in got.iterdir()} == kept


def test_getscu_in_the_clear_gets_nothing(asked, certificates, dcmtk, tmp_path):
    sent_over_tls(dcmtk, certificates, asked.port, "ASKER", head_slices(tmp_path))
    got = tmp_path / "got"
    got.mkdir()

    key = f"StudyInstanceUID={HEAD}"
    done = dcmtk(
        "getscu", "-S", "-ta", "5", "-aet", "ASKER", "-k", "QueryRetrieveLevel=STUDY", "-k", key, "127.0.0.1",
        asked.port, folder=got,
    )  # fmt: skip

    assert done.returncode != 0
    assert list(got.iterdir()) == []


def test_orthanc_finds_a_study_over_tls_and_has_it_moved_to_itself_over_tls(
    asked, orthanc, certificates, dcmtk, engine, tmp_path
):
    sent_over_tls(dcmtk, certificates, asked.port, "ASKER", head_slices(tmp_path))

    query = {"Level": "Study", "Query": {"StudyInstanceUID": HEAD}}
    path = orthanc.post("/modalities/ACUITY/query", query)["Path"]
    orthanc.post(f"{path}/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})

    arrived = wait_for(lambda: len(found := orthanc.get("/instances")) == 6 and found, 20)
    tags = [orthanc.get(f"/instances/{one}/simplified-tags")["SOPInstanceUID"] for one in arrived]
    assert sorted(tags) == sorted(one["sop_instance_uid"] for one in list_instances(engine))


def test_slices_that_the_sender_lost_come_by_c_get_over_tls(
    asked, orthanc, certificates, dcmtk, receiving, engine, clock, tmp_path
):
    files, site = head_slices(tmp_path), Site(asked.settings, engine)
    sent_over_tls(dcmtk, certificates, orthanc.dicom_port, "ORTHANC", files)
    sent_over_tls(dcmtk, certificates, asked.port, "ORTHANC", files[:4])
    wait_for(lambda: closed(None, engine), 10)
    site.ask()
    clock.forward(seconds=5)

    when_quiet = receiving.close_quiet_studies()
    site.fetch(receiving)
    clock.forward(seconds=1)
    completed = receiving.close_quiet_studies()

    assert (when_quiet, completed) == ((), (HEAD,))
    assert len(list_instances(engine)) == 6
    assert fetched_lines(engine) == ("fetched 2 missing images from ORTHANC",)
