"""DICOM over TLS with DCMTK's own tools: who shows a certificate of the authority may speak, nobody else."""

import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import dcmread
from sqlalchemy import Engine

from deploy.cli import main
from deploy.dimse_services import peers_of, sender_of
from deploy.receive import receiver_settings
from deploy.settings import DestinationSection, DicomSection, PeerSection, Settings, SettingsFile, TlsSection
from dicom_gateway.peers import Peer, PeerList
from dicom_gateway.sender import Destination, DicomSender
from storage.gateway import GatewayReader, Sender
from storage.instances import list_instances
from storage.schema import instances
from tests.certificates import OPENSSL, Certificates, with_certificate
from tests.integration.test_receiver import a_ct, count, data_set_bytes
from tests.running import free_port, wait_for
from triage.errors import DestinationUnavailable, InvalidSetting
from triage.ports import ResultObject

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


@pytest.fixture
def a_file(tmp_path: Path) -> Path:
    path = tmp_path / "ct.dcm"
    data_set = a_ct()
    data_set.PixelData = bytes(range(256)) * 4096
    data_set.Rows = data_set.Columns = 724
    data_set.save_as(path, enforce_file_format=True)
    return path


def test_storescu_with_a_certificate_of_the_authority_stores(start_receiver, dcmtk, certificates, tls, a_file, engine):
    receiver = start_receiver(tls=receiver_settings(DicomSection(tls=tls)).tls)

    sent = dcmtk("storescu", *with_certificate(certificates, "scanner"), "-R", "127.0.0.1", receiver.port, a_file)

    assert (sent.returncode, sent.stderr) == (0, "")
    (kept,) = list_instances(engine)
    assert data_set_bytes(kept["path"]) == data_set_bytes(str(a_file))


@pytest.mark.parametrize("who", ["stranger", "anonymous", "plain"])
def test_who_has_no_certificate_of_the_authority_is_refused(
    start_receiver, dcmtk, certificates, tls, a_file, engine, who
):
    receiver = start_receiver(tls=receiver_settings(DicomSection(tls=tls)).tls)
    options = {
        "stranger": with_certificate(certificates, "stranger"),
        "anonymous": ["+tla", "+cf", certificates.path("authority.pem")],
        "plain": ["-ta", "5"],
    }[who]

    refused = dcmtk("storescu", *options, "-R", "127.0.0.1", receiver.port, a_file)
    accepted = dcmtk("storescu", *with_certificate(certificates, "scanner"), "-R", "127.0.0.1", receiver.port, a_file)

    assert (refused.returncode != 0, accepted.returncode) == (True, 0)
    assert count(engine, instances) == 1


def test_a_peer_without_a_certificate_may_be_let_in(start_receiver, dcmtk, certificates, tls, a_file, engine):
    lenient = tls.model_copy(update={"require_peer_certificate": False})
    receiver = start_receiver(tls=receiver_settings(DicomSection(tls=lenient)).tls)
    anonymous = ["+tla", "+cf", certificates.path("authority.pem")]

    assert dcmtk("storescu", *anonymous, "-R", "127.0.0.1", receiver.port, a_file).returncode == 0
    assert count(engine, instances) == 1


def fingerprint(certificates: Certificates, name: str) -> str:
    """Return what `openssl` prints, which is what an administrator pastes into the settings."""
    command = [str(OPENSSL), "x509", "-noout", "-fingerprint", "-sha256", "-in", certificates.path(f"{name}.pem")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().split("=")[1]


def bound_to(certificates: Certificates, tls: TlsSection, *names: str) -> DicomSection:
    shown = [fingerprint(certificates, name) for name in names]
    peer = PeerSection.model_validate({"ae_title": "CT1", "host": "127.0.0.1", "certificates": shown})
    return DicomSection(tls=tls, peers=(peer, PeerSection(ae_title="MR1", host="127.0.0.1")))


def sent_as(dcmtk, title: str, port: int, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return dcmtk("storescu", *options, "-R", "-aet", title, "127.0.0.1", port, file)


@pytest.mark.parametrize("listed", [("scanner",), ("receiver", "scanner")], ids=["one", "the old one and the new one"])
def test_a_bound_name_stores_with_a_certificate_that_the_settings_list(
    start_receiver, dcmtk, certificates, tls, a_file, engine, listed
):
    dicom = bound_to(certificates, tls, *listed)
    receiver = start_receiver(peers_of(settings_of(dicom)), tls=receiver_settings(dicom).tls)

    sent = sent_as(dcmtk, "CT1", receiver.port, a_file, *with_certificate(certificates, "scanner"))

    assert (sent.returncode, sent.stderr) == (0, "")
    assert count(engine, instances) == 1


def test_a_bound_name_with_another_certificate_of_the_authority_is_rejected_logged_and_counted(
    start_receiver, dcmtk, certificates, tls, a_file, engine, capsys
):
    dicom = bound_to(certificates, tls, "receiver")
    receiver = start_receiver(peers_of(settings_of(dicom)), tls=receiver_settings(dicom).tls)
    scanner = with_certificate(certificates, "scanner")

    refused = sent_as(dcmtk, "CT1", receiver.port, a_file, *scanner)
    echo = dcmtk("echoscu", *scanner, "-aet", "CT1", "127.0.0.1", receiver.port)
    unbound = sent_as(dcmtk, "MR1", receiver.port, a_file, *scanner)

    assert (refused.returncode != 0, echo.returncode != 0, unbound.returncode) == (True, True, 0)
    assert "Calling AE Title Not Recognized" in refused.stderr + refused.stdout
    assert "certificate_refused" in capsys.readouterr().out
    wait_for(lambda: {one.ae_title: one.unfinished for one in senders(engine)} == {"CT1": 2, "MR1": 0}, 10)


def test_a_bound_name_without_a_certificate_is_rejected_where_others_need_none(
    start_receiver, dcmtk, certificates, tls, a_file, engine
):
    dicom = bound_to(certificates, tls.model_copy(update={"require_peer_certificate": False}), "scanner")
    receiver = start_receiver(peers_of(settings_of(dicom)), tls=receiver_settings(dicom).tls)
    anonymous = ["+tla", "+cf", certificates.path("authority.pem")]

    refused = sent_as(dcmtk, "CT1", receiver.port, a_file, *anonymous)
    accepted = sent_as(dcmtk, "MR1", receiver.port, a_file, *anonymous)

    assert (refused.returncode != 0, accepted.returncode) == (True, 0)
    assert "Calling AE Title Not Recognized" in refused.stderr + refused.stdout


def test_a_bound_name_in_the_clear_is_rejected(start_receiver, dcmtk, certificates, tls, a_file, engine):
    dicom = bound_to(certificates, tls, "scanner")
    with_tls = start_receiver(peers_of(settings_of(dicom)), tls=receiver_settings(dicom).tls)
    in_the_clear = start_receiver(peers_of(settings_of(dicom)))

    answers = [sent_as(dcmtk, "CT1", one.port, a_file, "-ta", "5") for one in (with_tls, in_the_clear)]

    assert [one.returncode != 0 for one in answers] == [True, True]
    assert "Calling AE Title Not Recognized" in answers[1].stderr + answers[1].stdout
    assert count(engine, instances) == 0


@pytest.mark.parametrize(
    ("ae_title", "host", "shown", "believed"),
    [
        ("CT1 ", "192.0.2.1", "aa", True),
        ("CT1", "192.0.2.1", "bb", False),
        ("CT1", "192.0.2.1", "", False),
        ("CT1", "192.0.2.2", "bb", True),
        ("CT1", "192.0.2.2", "aa", False),
        ("CT1", "192.0.2.9", "aa", True),
        ("CT1", "192.0.2.9", "cc", False),
        ("MR1", "192.0.2.9", "", True),
    ],
)
def test_a_name_is_believed_with_the_certificate_of_its_address(ae_title, host, shown, believed):
    peers = PeerList(
        (
            Peer("CT1", "192.0.2.1", certificates=frozenset({"aa"})),
            Peer("CT1", "192.0.2.2", certificates=frozenset({"bb"})),
        )
    )

    assert peers.believes(ae_title, host, shown) is believed
    assert peers.may_store(ae_title, host) is (ae_title.strip() == "CT1" and host != "192.0.2.9")


@pytest.mark.parametrize(
    ("peer", "said"),
    [
        ('certificates = ["5F:0E"]', "dicom.peers.0.certificates.0: Value error, 64 hex digits needed"),
        (f'certificates = ["{"ab" * 32}"]', "certificate, key and authorities are needed to see CT1's certificate$"),
    ],
)
def test_a_name_bound_to_what_is_no_certificate_stops_the_check_with_one_line(tmp_path, capsys, peer, said):
    config = tmp_path / "acuity.toml"
    config.write_text(f'[[dicom.peers]]\nae_title = "CT1"\nhost = "127.0.0.1"\n{peer}\n', encoding="utf-8")

    assert main(["check", "--config", str(config)]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(said, line)


@pytest.mark.parametrize("version", ["-tls1_1", "-tls1"])
def test_old_versions_of_tls_are_refused(start_receiver, certificates, tls, version):
    receiver = start_receiver(tls=receiver_settings(DicomSection(tls=tls)).tls)

    done = subprocess.run(
        [
            str(OPENSSL), "s_client", version, "-cipher", "ALL:@SECLEVEL=0", "-connect", f"127.0.0.1:{receiver.port}",
            "-cert", certificates.path("scanner.pem"), "-key", certificates.path("scanner.key"),
        ],
        input="", capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip

    assert done.returncode != 0
    assert "alert protocol version" in done.stderr


@pytest.fixture
def storescp(certificates, tmp_path) -> Iterator[Callable[..., int]]:
    """Start DCMTK's storescp, which shows a certificate and demands one; return its port."""
    running = []

    def start(*options: str) -> int:
        port = free_port()
        command = ["/usr/bin/storescp", *options, "-od", str(tmp_path), "-aet", "PACS", str(port)]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        wait_for(lambda: is_open(port), 10)
        return port

    yield start
    for one in running:
        one.kill()
        one.wait()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def sender_to(port: int, tls: TlsSection, host: str = "127.0.0.1") -> DicomSender:
    """Return what the settings give for one destination that is to be spoken to over TLS."""
    pacs = DestinationSection(name="PACS", ae_title="PACS", host=host, port=port, tls=True)
    settings = SettingsFile(dicom=DicomSection(tls=tls), destinations=(pacs,))
    return sender_of(Settings(Path("home"), settings))


def settings_of(dicom: DicomSection) -> Settings:
    return Settings(Path("home"), SettingsFile(dicom=dicom))


def senders(engine: Engine) -> Sequence[Sender]:
    """Return what the System page shows."""
    return GatewayReader(engine).senders(datetime(2000, 1, 1, tzinfo=UTC))


def test_results_go_to_a_pacs_over_tls_with_certificates_of_both_sides(storescp, certificates, tls, a_file, tmp_path):
    sender = sender_to(storescp(*with_certificate(certificates, "scanner")), tls)
    sent = dcmread(a_file)
    result = ResultObject(sent.SOPInstanceUID, sent.SOPClassUID, sent.StudyInstanceUID, 1, "sr", "", str(a_file))

    sender.verify("PACS")
    sender.send(result, "PACS")

    (arrived,) = tmp_path.glob("CT.*")
    assert dcmread(arrived).PixelData == sent.PixelData


@pytest.mark.parametrize(
    ("shown", "host", "said"),
    [
        ("stranger", "127.0.0.1", "its certificate is not believed"),
        ("scanner", "localhost", "its certificate is not believed: Hostname mismatch"),
        (None, "127.0.0.1", "no TLS connection"),
    ],
)
def test_a_pacs_that_is_not_who_it_should_be_gets_nothing_and_is_tried_again(
    storescp, certificates, tls, shown, host, said
):
    port = storescp(*(with_certificate(certificates, shown) if shown else []))
    before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(3):
        with pytest.raises(DestinationUnavailable, match=said) as refused:
            sender_to(port, tls, host).verify("PACS")

    assert str(refused.value).count("\n") == 0
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


def test_a_destination_over_tls_needs_certificates_in_the_settings():
    pacs = DestinationSection(name="PACS", ae_title="PACS", host="127.0.0.1", port=104, tls=True)

    with pytest.raises(ValueError, match=r"certificate, key and authorities are needed to speak to PACS over TLS"):
        SettingsFile(destinations=(pacs,))
    with pytest.raises(DestinationUnavailable, match=r"over TLS, but dicom\.tls names no certificate"):
        DicomSender((Destination("PACS", "PACS", "127.0.0.1", 104, frozenset(), tls=True),), "ACUITY").verify("PACS")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"certificate": "missing.pem"}, "missing.pem"),
        ({"key": "authority.key"}, "key"),
        ({"authorities": "scanner.key"}, "no certificates of authorities"),
    ],
)
def test_files_that_cannot_be_used_are_named(certificates, tls, changes, said):
    wrong = tls.model_copy(update={name: certificates.path(file) for name, file in changes.items()})

    with pytest.raises(InvalidSetting, match=said):
        receiver_settings(DicomSection(tls=wrong))
