"""Who made a bundle: an Ed25519 signature over its list of digests, held against the keys that a site trusts."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from models.integrity import DIGESTS_FILE, SIGNATURE_FILE, seal
from triage.errors import InvalidBundle, InvalidSetting


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key whose holder's bundles are taken, and what it is called: the SHA-256 of its DER form."""

    public: Ed25519PublicKey
    fingerprint: str


def trusted_key(path: Path) -> TrustedKey:
    """Return the key of a PEM file, as `openssl pkey -in key.pem -pubout` writes it.

    Raises:
        InvalidSetting: the file is not there, or holds no Ed25519 public key.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InvalidSetting(f"{path}: no public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidSetting(f"{path}: another kind of key, needed Ed25519")
    return _named(key)


def sign(folder: Path, key_file: Path) -> str:
    """Seal the bundle in `folder`, sign its list of digests, and return the fingerprint of the public key.

    The signature is the 64 bytes of RFC 8032 (PureEdDSA) over `configs/digests.json`, so `openssl pkeyutl -verify
    -rawin` checks it, too.

    Raises:
        InvalidSetting: the file is not there, or holds no Ed25519 private key without a password.
    """
    try:
        key = load_pem_private_key(key_file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidSetting(f"{key_file}: no private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidSetting(f"{key_file}: another kind of key, needed Ed25519")
    seal(folder)
    (folder / SIGNATURE_FILE).write_bytes(key.sign((folder / DIGESTS_FILE).read_bytes()))
    return _named(key.public_key()).fingerprint


def require_signed(folder: Path, name: str, trusted: Sequence[TrustedKey]) -> str:
    """Return the fingerprint of the trusted key that signed the digests of the bundle `name`.

    Raises:
        InvalidBundle: there is no signature, or it is of none of the keys.
    """
    if not (folder / SIGNATURE_FILE).is_file():
        raise InvalidBundle(f"{name}/{SIGNATURE_FILE}: absent, needed a signature of a key in models.trusted_keys")
    signature, signed = (folder / SIGNATURE_FILE).read_bytes(), (folder / DIGESTS_FILE).read_bytes()
    for key in trusted:
        try:
            key.public.verify(signature, signed)
        except InvalidSignature:
            continue
        return key.fingerprint
    raise InvalidBundle(f"{name}/{SIGNATURE_FILE}: of none of the keys in models.trusted_keys, needed of one of them")


def _named(key: Ed25519PublicKey) -> TrustedKey:
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return TrustedKey(key, hashlib.sha256(der).hexdigest())
