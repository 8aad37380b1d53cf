"""Zip files of bundles, as somebody brings them."""

import json
import shutil
from pathlib import Path

from models.registry import find_bundle


def write_version(folder: Path, version: str, licence: str = "CC-BY-NC-SA-4.0") -> Path:
    """Write a zip file of the shipped bundle as another version with another licence, not sealed."""
    bundle = folder / "ct-head-haemorrhage"
    shutil.copytree(find_bundle("ct-head-haemorrhage").folder, bundle, ignore=shutil.ignore_patterns("digests.json"))
    for name in ("triage.json", "metadata.json"):
        content = json.loads((bundle / "configs" / name).read_text()) | {"version": version}
        content |= {"licence": licence} if name == "triage.json" else {}
        (bundle / "configs" / name).write_text(json.dumps(content))
    return Path(shutil.make_archive(str(folder / version), "zip", folder, bundle.name))
