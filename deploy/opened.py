"""The database that a command works on: the one of the settings, the running platform's, or one started for it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from deploy.settings import Settings, read_settings
from storage.database import connect, is_reachable, migrate
from storage.embedded import start_embedded
from triage.errors import InvalidSetting


@contextmanager
def opened_database(settings: Settings) -> Iterator[str]:
    """Give the URL of a database that answers and has the newest schema.

    An embedded server that this call had to start is stopped at the end; one that ran before runs on.
    """
    if url := settings.file.database.url or _of_running_platform(settings):
        yield url
        return
    postgres = start_embedded(writable_home(settings) / "postgres")
    try:
        engine = connect(postgres.url)
        migrate(engine)
        engine.dispose()
        yield postgres.url
    finally:
        if not postgres.was_running:
            postgres.stop()


def database_of_platform(settings: Settings) -> str:
    """Return the URL of the database that the processes of a platform share with this command.

    Raises:
        InvalidSetting: the settings name none, and none runs on the data folder.
    """
    url = settings.file.database.url or _of_running_platform(settings)
    if not url:
        raise InvalidSetting(f"{settings.home}: no platform runs here, needed `acuity up` or database.url")
    return url


@contextmanager
def opened_engine(config: Path | None) -> Iterator[tuple[Settings, Engine]]:
    """Give the settings and an engine on their database, which is closed at the end."""
    settings = read_settings(config)
    with opened_database(settings) as url:
        engine = connect(url)
        try:
            yield settings, engine
        finally:
            engine.dispose()


def writable_home(settings: Settings) -> Path:
    """Return the data folder, made where it was not there.

    Raises:
        InvalidSetting: it cannot be made or written.
    """
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidSetting(f"{home}: {error.strerror}, needed a folder that can be written") from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise InvalidSetting(f"{home}: cannot be written, needed a folder that can be")
    return home


def noted_settings(home: Path) -> Path:
    """Return where `acuity up` notes what it runs on: the settings with its ports and its database."""
    return home / "run" / "settings.json"


def _of_running_platform(settings: Settings) -> str:
    """Return the URL that `acuity up` noted in the data folder, where a server still answers there.

    Raises:
        InvalidSetting: what it noted cannot be read.
    """
    noted = noted_settings(settings.home)
    if not noted.is_file():
        return ""
    try:
        url = str(json.loads(noted.read_text(encoding="utf-8"))["database"]["url"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidSetting(f"{noted}: not readable: {error}; the next start of `acuity up` writes it anew") from error
    engine = connect(url)
    reachable = is_reachable(engine)
    engine.dispose()
    return url if reachable else ""
