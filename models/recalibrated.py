"""A bundle with another calibration and threshold, as a new version of its own that passes the gate like any other."""

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from math import exp, log
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from models.bundle import CARD_FILE, METADATA_FILE, Bundle, load_bundle
from models.integrity import DIGESTS_FILE, seal
from models.triage_spec import SPEC_FILE
from triage.errors import InvalidBundle


@dataclass(frozen=True, slots=True)
class Recalibration:
    """New probability = expit(slope · logit(old) + intercept); the active operating point flags from `threshold` on."""

    slope: float
    intercept: float
    threshold: float


def write_recalibrated(bundle: Bundle, change: Recalibration, archive: Path) -> Bundle:
    """Write the zip file of `bundle` with the study calibration changed, and return what it holds.

    The other operating points keep flagging the same studies. The version is the old one with "+local." and eight
    digits of the old digest and the change, so the same change of the same bundle is the same version.

    Raises:
        InvalidBundle: the result would be no bundle, say because of a slope below zero, or `archive` cannot be written.
    """
    numbers = (change.slope, change.intercept, change.threshold)
    mark = sha256(f"{bundle.identity.digest} {numbers}".encode()).hexdigest()[:8]
    version = f"{bundle.identity.version.partition('+')[0]}+local.{mark}"
    with TemporaryDirectory() as kept:
        folder = Path(kept) / bundle.identity.name
        left_out = shutil.ignore_patterns(Path(DIGESTS_FILE).name, "__pycache__")
        shutil.copytree(bundle.folder, folder, ignore=left_out, copy_function=shutil.copyfile)
        for path in (folder, *folder.rglob("*")):
            # Installed bundles are read-only, and their folders are copied as they are.
            path.chmod(0o755 if path.is_dir() else 0o644)
        _rewrite(folder / METADATA_FILE, lambda content: content | {"version": version})
        _rewrite(folder / SPEC_FILE, lambda content: _changed(content, change) | {"version": version})
        card = folder / CARD_FILE
        card.write_text(f"{card.read_text(encoding='utf-8').rstrip()}\n\n{_note(bundle, change)}\n", encoding="utf-8")
        seal(folder)
        written = load_bundle(folder)
        packed = Path(kept) / "packed.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(one for one in folder.rglob("*") if one.is_file()):
                file.write(path, path.relative_to(folder.parent))
        try:
            shutil.copyfile(packed, archive)
        except OSError as error:
            raise InvalidBundle(f"{archive}: {error.strerror}, needed a file to write to") from error
    return written


def _changed(spec: dict[str, Any], change: Recalibration) -> dict[str, Any]:
    old = spec["calibration"]["study"]
    study = {
        "slope": change.slope * old["slope"],
        "intercept": change.slope * old["intercept"] + change.intercept,
    }
    points = [
        one | {"threshold": change.threshold if one["name"] == spec["active_operating_point"] else _moved(one, change)}
        for one in spec["operating_points"]
    ]
    return spec | {"calibration": spec["calibration"] | {"study": study}, "operating_points": points}


def _moved(point: dict[str, Any], change: Recalibration) -> float:
    if not 0 < point["threshold"] < 1:
        return float(point["threshold"])
    logit = log(point["threshold"] / (1 - point["threshold"]))
    return 1 / (1 + exp(-(change.slope * logit + change.intercept)))


def _note(bundle: Bundle, change: Recalibration) -> str:
    return (
        "## Calibrated on local studies\n"
        f"Probabilities of studies were refitted on local truth. Where version {bundle.identity.version} gave the "
        f"logit x, this one gives {change.slope:.4f} · x {change.intercept:+.4f}; the active operating point flags "
        f"from {change.threshold:.4f} on. The figures above hold for the version before."
    )


def _rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    content = change(json.loads(path.read_text(encoding="utf-8")))
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
