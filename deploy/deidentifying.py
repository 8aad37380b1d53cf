"""`acuity deidentify`: copies of images that say nothing of who they are of."""

import argparse
import json
import os
import secrets
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import config

from deploy.settings import Settings, read_settings
from dicom_gateway.deidentification.identities import FEWEST_KEY_BYTES, Identities, read_key
from dicom_gateway.deidentification.images import Deidentifier, StudyReport
from dicom_gateway.deidentification.profile import Option
from dicom_gateway.durable_files import write_durably
from triage.errors import CannotDeidentify, InvalidSetting, UnreadableInstance


def add_deidentify(verbs: Any, printing: argparse.ArgumentParser) -> None:
    """Add the verb `deidentify` to the command line."""
    verb = verbs.add_parser("deidentify", parents=[printing], help="copy images without who they are of")
    verb.add_argument("source", type=Path, metavar="IN", help="a DICOM file, or a folder of them")
    verb.add_argument("out", type=Path, metavar="OUT", help="a new folder; one folder and one report for each study")
    verb.add_argument("--key-file", type=Path, metavar="FILE", help="secret key (default: one kept in $ACUITY_HOME)")
    verb.add_argument(
        "--retain", default="", metavar="NAMES", help=f"what to keep, of: {','.join(one.value for one in Option)}"
    )
    verb.set_defaults(run=deidentify)


def deidentify(options: argparse.Namespace) -> int:
    """Write what can be cleaned; 1 where some images were refused.

    Raises:
        InvalidSetting: no such input, an output that is there already, an unknown option, or a key that is none.
    """
    retained = _retained(options.retain)
    paths = _files(options.source)
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise InvalidSetting(f"{options.out}: is there already, a new or empty folder is needed")
    key_file = options.key_file or own_key_file(read_settings(options.config).home)
    deidentifier = Deidentifier(Identities(read_key(key_file)), retained)
    # A value that breaks the rules is cleaned as any other; pydicom would warn of it with the value itself.
    config.settings.reading_validation_mode = config.settings.writing_validation_mode = config.IGNORE
    reports: dict[str, StudyReport] = {}
    refused = [one for path in paths if (one := _cleaned(deidentifier, path, options.out, reports))]
    for uid, report in reports.items():
        text = json.dumps(report.as_object(), indent=1)
        write_durably(options.out / uid / "report.json", text.encode())
    _tell(options, reports, refused)
    return 1 if refused else 0


def _cleaned(
    deidentifier: Deidentifier, path: Path, out: Path, reports: dict[str, StudyReport]
) -> dict[str, str] | None:
    """Write the cleaned image of one file, or return why not."""
    try:
        image = deidentifier.clean(path, reports)
    except (CannotDeidentify, UnreadableInstance) as error:
        return {"file": str(path), "reason": str(error)}
    buffer = BytesIO()
    syntax = image.file_meta.TransferSyntaxUID
    image.save_as(
        buffer, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian, enforce_file_format=True
    )
    write_durably(out / str(image.StudyInstanceUID) / f"{image.SOPInstanceUID}.dcm", buffer.getvalue())
    return None


def _tell(options: argparse.Namespace, reports: dict[str, StudyReport], refused: Sequence[dict[str, str]]) -> None:
    images = sum(one.images for one in reports.values())
    if options.json:
        studies = [one.as_object() for one in reports.values()]
        print(json.dumps({"images": images, "studies": studies, "refused": list(refused)}))
        return
    for one in refused:
        print(f"refused: {one['file']}: {one['reason']}", file=sys.stderr)
    print(f"{images} images of {len(reports)} studies written to {options.out}, {len(refused)} refused")


def retained_by(settings: Settings) -> dict[str, frozenset[Option]]:
    """Return for each destination what its de-identified copies keep."""
    return {one.name: frozenset(Option(name) for name in one.retain) for one in settings.file.destinations}


def _retained(text: str) -> frozenset[Option]:
    names = [one.strip() for one in text.split(",") if one.strip()]
    known = {one.value for one in Option}
    if unknown := [one for one in names if one not in known]:
        raise InvalidSetting(f"--retain {','.join(unknown)}: unknown, one or more of {', '.join(sorted(known))} needed")
    return frozenset(Option(one) for one in names)


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise InvalidSetting(f"{source}: no such file or folder")
    return sorted(path for path in source.rglob("*") if path.is_file())


def own_key_file(home: Path) -> Path:
    """Return the installation's own key file, made when it is first asked for; only its owner may read it.

    Of processes that ask at the same time one makes it; it is whole from the moment that it has its name.
    """
    path = home / "secrets" / "deidentification.key"
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(FEWEST_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(unfinished, path)
        except FileExistsError:
            return path
        finally:
            unfinished.unlink()
        print(
            f"acuity: new secret key in {path}; with it, and only with it, the same patients map the same",
            file=sys.stderr,
        )
    return path
