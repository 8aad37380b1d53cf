"""A signature says who made a bundle: of a trusted key it is taken, everything else is refused by name."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from models.bundle import load_bundle
from models.installation import install_bundle
from models.integrity import DIGESTS_FILE, SIGNATURE_FILE, bundle_digest, seal
from models.registry import bundle_places
from models.signature import require_signed, sign, trusted_key
from tests.unit.models.test_bundle import write_bundle
from tests.unit.models.test_installation import files_of, left_in, run_nothing, write_zip
from triage.errors import InvalidBundle, InvalidSetting


def write_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a pair of keys, and return the files of the private and the public one."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.fixture
def keys(tmp_path):
    return write_keys(tmp_path, "maker")


@pytest.fixture
def bundle(tmp_path):
    return write_bundle(tmp_path / "made")


def test_a_signed_bundle_is_taken_by_whoever_trusts_the_key_and_its_digest_stays(tmp_path, bundle, keys):
    before, (_, other) = bundle_digest(bundle), write_keys(tmp_path, "other")

    fingerprint = sign(bundle, keys[0])

    trusted = [trusted_key(other), trusted_key(keys[1])]
    assert require_signed(bundle, "a-model", trusted) == fingerprint == trusted[1].fingerprint
    assert load_bundle(bundle).identity.digest == before


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")
def test_openssl_checks_the_signature_too(bundle, keys):
    sign(bundle, keys[0])

    words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", keys[1], "-rawin", "-in", bundle / DIGESTS_FILE]
    checked = subprocess.run([*words, "-sigfile", bundle / SIGNATURE_FILE], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr


def test_without_a_signature_of_a_trusted_key_a_bundle_is_refused(tmp_path, bundle, keys):
    other, _ = write_keys(tmp_path, "other")

    with pytest.raises(InvalidBundle, match=r"a-model/configs/digests\.sig: absent, needed"):
        require_signed(bundle, "a-model", [trusted_key(keys[1])])
    sign(bundle, other)
    with pytest.raises(InvalidBundle, match=r"a-model/configs/digests\.sig: of none of the keys"):
        require_signed(bundle, "a-model", [trusted_key(keys[1])])


def test_a_file_that_is_changed_after_signing_is_found_even_where_its_digest_is_changed_too(bundle, keys):
    sign(bundle, keys[0])
    signature = (bundle / SIGNATURE_FILE).read_bytes()
    (bundle / "docs/README.md").write_text("a better card")
    with pytest.raises(InvalidBundle, match=r"docs/README\.md: SHA-256"):
        load_bundle(bundle)

    seal(bundle)
    assert not (bundle / SIGNATURE_FILE).exists()
    (bundle / SIGNATURE_FILE).write_bytes(signature)

    with pytest.raises(InvalidBundle, match="of none of the keys"):
        require_signed(bundle, "a-model", [trusted_key(keys[1])])


def test_nothing_is_installed_without_the_signature_that_is_asked_for(tmp_path, bundle, keys):
    trusted, installed = [trusted_key(keys[1])], tmp_path / "models"
    unsigned = write_zip(tmp_path / "unsigned.zip", files_of(bundle))
    sign(bundle, keys[0])
    signed = write_zip(tmp_path / "signed.zip", files_of(bundle))

    with pytest.raises(InvalidBundle, match="absent, needed a signature"):
        install_bundle(unsigned, installed, run_nothing, trusted)
    left = left_in(installed)
    install_bundle(signed, installed, run_nothing, trusted)

    assert left == []
    (place,) = [one for one in bundle_places(None, installed, trusted) if one.name == "a-model"]
    assert place.load().identity.name == "a-model"


def test_a_bundle_of_a_folder_is_asked_for_its_signature_and_one_that_ships_is_not(bundle, keys):
    places = bundle_places(bundle.parent, None, [trusted_key(keys[1])])

    for place in places:
        if place.name == "a-model":
            with pytest.raises(InvalidBundle, match="absent, needed a signature"):
                place.load()
        else:
            place.load()


def test_files_that_hold_no_such_key_are_refused_with_the_reason(tmp_path, bundle, keys):
    elliptic = tmp_path / "elliptic.pem"
    key = generate_private_key(SECP256R1())
    elliptic.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    with pytest.raises(InvalidSetting, match="another kind of key, needed Ed25519"):
        sign(bundle, elliptic)
    with pytest.raises(InvalidSetting, match="no private key"):
        sign(bundle, keys[1])
    with pytest.raises(InvalidSetting, match="no public key"):
        trusted_key(keys[0])
    with pytest.raises(InvalidSetting, match="no public key"):
        trusted_key(tmp_path / "absent.pem")
