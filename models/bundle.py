"""A model bundle on disk: a MONAI Bundle with `configs/triage.json`, `configs/digests.json` and ONNX weights."""

import re
from dataclasses import dataclass
from pathlib import Path

from models.external_data import require_confined
from models.integrity import DIGESTS_FILE, FileDigests, digest_of, file_digests, require_same, sealed_digests
from models.strict_json import read_json_object
from models.triage_spec import SPEC_FILE, TriageSpec, read_triage_spec
from triage.errors import InvalidBundle
from triage.findings import ModelIdentity

METADATA_FILE = "configs/metadata.json"
ONNX_FILE = "models/model.onnx"
CARD_FILE = "docs/README.md"
NEEDED_FILES = (METADATA_FILE, SPEC_FILE, ONNX_FILE, CARD_FILE, "LICENSE")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,31}")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that is complete and says one thing: folder, spec, identity, weights, and the digest of each file."""

    folder: Path
    spec: TriageSpec
    identity: ModelIdentity
    onnx_path: Path
    files: FileDigests


def load_bundle(folder: Path, name: str | None = None) -> Bundle:
    """Return the bundle in `folder`, called `name` or else as the folder is; its files are those that were sealed.

    Raises:
        InvalidBundle: a file is missing, is a symbolic link or has another SHA-256 than `configs/digests.json` says;
            the spec does not parse, the metadata disagree, or external data lie outside the bundle.
    """
    wanted = name or folder.name
    for needed in NEEDED_FILES:
        if not (folder / needed).is_file():
            raise InvalidBundle(f"{wanted}/{needed}: absent, needed")
    files = file_digests(folder)
    if not (folder / DIGESTS_FILE).is_file():
        raise InvalidBundle(f"{wanted}/{DIGESTS_FILE}: absent, needed; `acuity models seal FOLDER` writes it")
    require_same(wanted, files, sealed_digests(folder))
    spec = read_triage_spec(folder)
    if spec.name != wanted:
        raise InvalidBundle(f"{wanted}/{SPEC_FILE}: name: found {spec.name}, needed {wanted} as the folder")
    _require_plain(spec)
    version = read_json_object(folder / METADATA_FILE, f"{wanted}/{METADATA_FILE}").text("version")
    if version != spec.version:
        raise InvalidBundle(
            f"{wanted}/{METADATA_FILE}: version: found {version}, needed {spec.version} as {SPEC_FILE} says"
        )
    require_confined(folder / ONNX_FILE, folder)
    return Bundle(
        folder=folder,
        spec=spec,
        identity=ModelIdentity(spec.name, spec.version, digest_of(files)),
        onnx_path=folder / ONNX_FILE,
        files=files,
    )


def _require_plain(spec: TriageSpec) -> None:
    """Refuse names and versions that could not stand in a path or on a command line."""
    if not _NAME.fullmatch(spec.name):
        raise InvalidBundle(f"{SPEC_FILE}: name: found {spec.name!r}, needed up to 64 letters, digits, - and _")
    if not _VERSION.fullmatch(spec.version):
        raise InvalidBundle(f"{SPEC_FILE}: version: found {spec.version!r}, needed one like 1.0.0, up to 32 characters")
