"""`acuity storage`: whether every file is what was received, and which images may go."""

import argparse
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from deploy.opened import opened_engine
from deploy.settings import Settings
from dicom_gateway.spool import spool_alone
from storage.file_check import check_files
from storage.retention import Retention, RetentionRule


def add_storage(verbs: Any, printing: argparse.ArgumentParser) -> None:
    """Add the verb `storage` to the command line."""
    actions = verbs.add_parser("storage", help="the files that were received").add_subparsers(
        required=True, metavar="ACTION"
    )
    verify = actions.add_parser("verify", parents=[printing], help="read every file again and compare its SHA-256")
    verify.set_defaults(run=verify_files)
    retention = actions.add_parser("retention", parents=[printing], help="remove images that may go")
    retention.add_argument("--dry-run", action="store_true", help="only say which")
    retention.set_defaults(run=remove_old)


def verify_files(options: argparse.Namespace) -> int:
    """Print what is missing, altered or without a row; 1 where anything is."""
    with opened_engine(options.config) as (settings, engine):
        spool, home = settings.home / "spool", settings.home
        found = check_files(engine, (spool / "instances", spool / "quarantine", home / "results"))
    if options.json:
        print(json.dumps(found.as_object()))
    else:
        for word, faults in (("missing", found.missing), ("altered", found.altered), ("orphan", found.orphans)):
            for one in faults:
                print(f"{word:8}  {one.kind:10}  {one.path}: {one.found}")
        print(f"{'whole' if found.is_whole else 'NOT WHOLE'}: {found.files} files, {found.bytes} bytes read")
    return 0 if found.is_whole else 1


def remove_old(options: argparse.Namespace) -> int:
    """Remove the images that may go, or only say which."""
    now = datetime.now(UTC)
    with opened_engine(options.config) as (settings, engine):
        retention = retention_of(settings, engine)
        found = retention.removable(now)
        removed = [one for one in found if not options.dry_run and retention.remove(one, now)]
    studies = [
        {"study_instance_uid": one.study_instance_uid, "last_instance_at": one.last_instance_at.isoformat(),
         "instances": one.instances, "bytes": one.bytes, "modalities": list(one.modalities),
         "removed": one in removed}
        for one in found
    ]  # fmt: skip
    if options.json:
        print(json.dumps({"dry_run": options.dry_run, "studies": studies}))
        return 0
    for one in found:
        print(f"{'removed' if one in removed else 'may go':8}  {one.instances:5} images  {one.study_instance_uid}")
    print(f"{len(found)} studies, {sum(one.bytes for one in found)} bytes")
    return 0


def retention_of(settings: Settings, engine: Engine) -> Retention:
    """Return what removes old images by the settings."""
    storage = settings.file.storage
    by_modality = {name: _days(days) for name, days in storage.retention_days_by_modality.items()}
    rule = RetentionRule(_days(storage.retention_days), by_modality, not storage.retention_of_unread)
    return Retention(engine, rule, lambda: spool_alone(settings.home / "spool"))


def _days(number: float) -> timedelta | None:
    return timedelta(days=number) if number else None
