"""`acuity check`: is this installation whole, and can it do what its settings ask for?"""

import argparse
import importlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.bundles import register_found
from deploy.dimse_services import sender_of
from deploy.opened import opened_database
from deploy.serving import active_models
from deploy.settings import Settings, read_settings
from dicom_gateway.sender import DicomSender
from models.licence import licence_words
from models.registry import full_name
from storage.database import connect
from storage.model_registry import ModelRows
from triage.errors import AcuityError, InvalidBundle

PACKAGES = ("triage", "models", "inference", "dicom_gateway", "storage", "worklist", "validation", "deploy")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: whether it is sound, and what was found."""

    name: str
    ok: bool
    found: str


def run(options: argparse.Namespace) -> int:
    """Print what is sound and what is not; 1 when anything is not."""
    checks = examine(read_settings(options.config))
    sound = all(one.ok for one in checks)
    if options.json:
        print(json.dumps({"ok": sound, "checks": [asdict(one) for one in checks]}))
    else:
        for one in checks:
            print(f"{'ok  ' if one.ok else 'FAIL'}  {one.name}: {one.found}")
    return 0 if sound else 1


def examine(settings: Settings) -> list[Check]:
    """Return every check; bundles that were found are registered as at any start, and nothing else is changed."""
    checks = [_packages(), _disk(settings), _guarded("database", lambda: _database(settings))]
    checks.append(_guarded("models", lambda: _models(settings)))
    sender = sender_of(settings)
    return checks + [_destination(sender, one.name) for one in settings.file.destinations]


def _packages() -> Check:
    root = Path(__file__).resolve().parent.parent
    foreign = [name for name in PACKAGES if root not in Path(str(importlib.import_module(name).__file__)).parents]
    found = f"{', '.join(foreign)}: not Acuity's own" if foreign else f"all of Acuity's own, in {root}"
    return Check("packages", not foreign, found)


def _disk(settings: Settings) -> Check:
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free_gb, needed_gb = shutil.disk_usage(folder).free / 1e9, settings.file.storage.min_free_gb
    return Check("disk", free_gb > needed_gb, f"{free_gb:.1f} GB free at {folder}, {needed_gb:.1f} GB kept in reserve")


def _database(settings: Settings) -> str:
    with opened_database(settings) as url:
        engine = connect(url)
        with engine.connect() as connection:
            version = connection.exec_driver_sql("SHOW server_version").scalar_one()
        engine.dispose()
    return f"PostgreSQL {version}, {'its own server' if settings.file.database.url else 'embedded'}"


def _models(settings: Settings) -> str:
    with opened_database(settings) as url:
        engine = connect(url)
        rows = ModelRows(engine)
        found = register_found(rows, settings)
        problems = [*active_models(settings, rows).problems().values(), *(problem for _, problem in found.broken)]
        active = rows.active()
        engine.dispose()
    if problems:
        raise InvalidBundle("; ".join(problems))
    described = (f"{full_name(one.record.identity)} ({licence_words(one.record.licence)})" for one in active)
    return ", ".join(described) or "none active"


def _guarded(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except (AcuityError, OSError) as error:
        return Check(name, False, str(error))


def _destination(sender: DicomSender, name: str) -> Check:
    try:
        sender.verify(name)
    except AcuityError as error:
        return Check(f"destination {name}", False, str(error))
    return Check(f"destination {name}", True, "answered C-ECHO")
