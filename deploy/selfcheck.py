"""`acuity check`: is this installation whole, and can it do what its settings ask for?"""

import argparse
import importlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.delivery_worker import sender_of
from deploy.opened import opened_database
from deploy.settings import Settings, read_settings
from deploy.triage_worker import analyser_of
from dicom_gateway.sender import DicomSender
from storage.database import connect
from triage.errors import AcuityError

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
    """Return every check; none of them changes anything that lasts."""
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
    analyser = analyser_of(settings)
    analyser.warm_up()
    offers = analyser.offers()
    return ", ".join(f"{one.identity.name} {one.identity.version} ({one.identity.digest[:12]})" for one in offers)


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
