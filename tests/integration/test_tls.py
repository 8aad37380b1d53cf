"""DICOM over TLS with DCMTK's own tools: who shows a certificate of the authority may speak, nobody else."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.receive import receiver_settings
from deploy.settings import DicomSection, TlsSection
from storage.instances import list_instances
from storage.schema import instances
from tests.integration.test_receiver import a_ct, count, data_set_bytes
from triage.errors import InvalidSetting

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


@dataclass(frozen=True)
class Certificates:
    """PEM files of one authority, and of a stranger that nobody signed but itself."""

    folder: Path

    def path(self, name: str) -> str:
        return str(self.folder / name)


def openssl(*arguments: str) -> None:
    subprocess.run([str(OPENSSL), *arguments], check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    made = Certificates(folder)
    for name in ("authority", "stranger"):
        openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", made.path(f"{name}.key"), "-out", made.path(f"{name}.pem"),
        )  # fmt: skip
    for name in ("receiver", "scanner"):
        openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
            "-keyout", made.path(f"{name}.key"), "-out", made.path(f"{name}.csr"),
        )  # fmt: skip
        openssl(
            "x509", "-req", "-days", "2", "-in", made.path(f"{name}.csr"), "-CA", made.path("authority.pem"),
            "-CAkey", made.path("authority.key"), "-CAcreateserial", "-out", made.path(f"{name}.pem"),
        )  # fmt: skip
    return made


@pytest.fixture
def tls(certificates: Certificates) -> TlsSection:
    return TlsSection(
        certificate=certificates.path("receiver.pem"),
        key=certificates.path("receiver.key"),
        authorities=certificates.path("authority.pem"),
    )


@pytest.fixture
def a_file(tmp_path: Path) -> Path:
    path = tmp_path / "ct.dcm"
    data_set = a_ct()
    data_set.PixelData = bytes(range(256)) * 4096
    data_set.Rows = data_set.Columns = 724
    data_set.save_as(path, enforce_file_format=True)
    return path


def with_certificate(certificates: Certificates, name: str) -> list[str]:
    authority = certificates.path("authority.pem")
    return ["+tls", certificates.path(f"{name}.key"), certificates.path(f"{name}.pem"), "+cf", authority]


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
