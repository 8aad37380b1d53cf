"""Certificates for TLS as `openssl` makes them: an authority, two that it signed, and a stranger."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

OPENSSL = shutil.which("openssl")


@dataclass(frozen=True)
class Certificates:
    """PEM files of one authority, and of a stranger that nobody signed but itself."""

    folder: Path

    def path(self, name: str) -> str:
        return str(self.folder / name)


def made_certificates(folder: Path) -> Certificates:
    """Return certificates and keys of an authority, a receiver, a scanner and a stranger."""
    made = Certificates(folder)
    for name in ("authority", "stranger"):
        _openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", made.path(f"{name}.key"), "-out", made.path(f"{name}.pem"),
        )  # fmt: skip
    (folder / "names").write_text("subjectAltName = IP:127.0.0.1")
    for name in ("receiver", "scanner"):
        _openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
            "-keyout", made.path(f"{name}.key"), "-out", made.path(f"{name}.csr"),
        )  # fmt: skip
        _openssl(
            "x509", "-req", "-days", "2", "-in", made.path(f"{name}.csr"), "-CA", made.path("authority.pem"),
            "-CAkey", made.path("authority.key"), "-CAcreateserial", "-out", made.path(f"{name}.pem"),
            "-extfile", made.path("names"),
        )  # fmt: skip
    return made


def with_certificate(certificates: Certificates, name: str) -> list[str]:
    """Return the options by which DCMTK's tools show this certificate and believe those of the authority."""
    authority = certificates.path("authority.pem")
    return ["+tls", certificates.path(f"{name}.key"), certificates.path(f"{name}.pem"), "+cf", authority]


def _openssl(*arguments: str) -> None:
    subprocess.run([str(OPENSSL), *arguments], check=True, capture_output=True)
