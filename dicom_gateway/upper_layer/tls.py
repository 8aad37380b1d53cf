"""DICOM over TLS, as receiver and as sender: versions and ciphers of BCP 195, and whose certificates are believed.

Source: PS3.15 B.12 (BCP 195 TLS Profile); RFC 9325 sections 3.1.1 and 4.2 (versions and cipher suites).
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triage.errors import InvalidSetting

_TLS_1_2_CIPHERS = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files; without `authorities` no peer shows a certificate, with them each must where it is required."""

    certificate: Path
    key: Path
    authorities: Path | None
    require_peer_certificate: bool


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the TLS settings of the receiver.

    Raises:
        InvalidSetting: a file is missing or no PEM file of its kind, or the key is not that of the certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _set_up(context, files)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    if files.authorities is not None:
        required = files.require_peer_certificate
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


class _TellingSocket(ssl.SSLSocket):
    """Keeps on its context why there was no handshake, and leaves no descriptor behind."""

    def connect(self, addr: Any) -> None:
        try:
            super().connect(addr)
        except OSError:
            self.close()
            raise

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError as error:
            if isinstance(self.context, ClientContext):
                self.context.problem = _in_words(error)
            raise


def _in_words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not believed: {error.verify_message}"
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return f"the handshake failed: {reason or error}"


class ClientContext(ssl.SSLContext):
    """The TLS settings of one association that we ask for; `problem` says why there was no handshake."""

    sslsocket_class = _TellingSocket
    problem: str = ""


def client_context(files: TlsFiles) -> ClientContext:
    """Return the TLS settings of a sender: it shows our certificate, and believes a peer whose certificate one of the
    authorities signed for the host that we called.

    Raises:
        InvalidSetting: a file is missing or no PEM file of its kind, there are no authorities, or the key is not that
            of the certificate.
    """
    if files.authorities is None:
        raise InvalidSetting(f"{files.certificate}: no authorities, needed to believe those we send to")
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    _set_up(context, files)
    return context


def _set_up(context: ssl.SSLContext, files: TlsFiles) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS_1_2_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(files.certificate, files.key)
    except (OSError, ValueError) as error:
        raise InvalidSetting(f"{files.certificate} with key {files.key}: {error}") from error
    if files.authorities is not None:
        try:
            context.load_verify_locations(files.authorities)
        except (OSError, ValueError) as error:
            raise InvalidSetting(f"{files.authorities}: no certificates of authorities: {error}") from error
