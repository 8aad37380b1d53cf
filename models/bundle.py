"""A model bundle on disk: a MONAI Bundle with `configs/triage.json` and ONNX weights."""

from dataclasses import dataclass
from pathlib import Path

from models.integrity import bundle_digest
from models.strict_json import read_json_object
from models.triage_spec import SPEC_FILE, TriageSpec, read_triage_spec
from triage.errors import InvalidBundle
from triage.findings import ModelIdentity

METADATA_FILE = "configs/metadata.json"
ONNX_FILE = "models/model.onnx"
CARD_FILE = "docs/README.md"
NEEDED_FILES = (METADATA_FILE, SPEC_FILE, ONNX_FILE, CARD_FILE, "LICENSE")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that is complete and says one thing: its folder, its spec, its identity and its weights."""

    folder: Path
    spec: TriageSpec
    identity: ModelIdentity
    onnx_path: Path


def load_bundle(folder: Path) -> Bundle:
    """Return the bundle in `folder`, its digest computed from the files as they are now.

    Raises:
        InvalidBundle: a file is missing or is a symbolic link, the spec does not parse, or the metadata disagree.
    """
    for needed in NEEDED_FILES:
        if not (folder / needed).is_file():
            raise InvalidBundle(f"{folder.name}/{needed}: absent, needed")
    spec = read_triage_spec(folder)
    if spec.name != folder.name:
        raise InvalidBundle(f"{folder.name}/{SPEC_FILE}: name: found {spec.name}, needed {folder.name} as the folder")
    version = read_json_object(folder / METADATA_FILE, f"{folder.name}/{METADATA_FILE}").text("version")
    if version != spec.version:
        raise InvalidBundle(
            f"{folder.name}/{METADATA_FILE}: version: found {version}, needed {spec.version} as {SPEC_FILE} says"
        )
    return Bundle(folder, spec, ModelIdentity(spec.name, spec.version, bundle_digest(folder)), folder / ONNX_FILE)
