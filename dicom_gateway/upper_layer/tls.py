"""DICOM over TLS as the receiver: versions and ciphers of BCP 195, and whose certificates are believed.

Source: PS3.15 B.12 (BCP 195 TLS Profile); RFC 9325 sections 3.1.1 and 4.2 (versions and cipher suites).
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

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
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS_1_2_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        context.load_cert_chain(files.certificate, files.key)
    except (OSError, ValueError) as error:
        raise InvalidSetting(f"{files.certificate} with key {files.key}: {error}") from error
    if files.authorities is not None:
        try:
            context.load_verify_locations(files.authorities)
        except (OSError, ValueError) as error:
            raise InvalidSetting(f"{files.authorities}: no certificates of authorities: {error}") from error
        required = files.require_peer_certificate
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context
