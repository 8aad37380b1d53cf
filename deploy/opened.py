"""The database that a command works on: the one of the settings, the running platform's, or one started for it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.settings import Settings
from storage.database import connect, is_reachable, migrate
from storage.embedded import start_embedded


@contextmanager
def opened_database(settings: Settings) -> Iterator[str]:
    """Give the URL of a database that answers and has the newest schema.

    An embedded server that this call had to start is stopped at the end; one that ran before runs on.
    """
    if url := settings.file.database.url or _of_running_platform(settings):
        yield url
        return
    postgres = start_embedded(settings.home / "postgres")
    try:
        engine = connect(postgres.url)
        migrate(engine)
        engine.dispose()
        yield postgres.url
    finally:
        if not postgres.was_running:
            postgres.stop()


def _of_running_platform(settings: Settings) -> str:
    """Return the URL that `acuity up` noted in the data folder, where a server still answers there."""
    noted = settings.home / "run" / "settings.json"
    if not noted.is_file():
        return ""
    url = str(json.loads(noted.read_text(encoding="utf-8"))["database"]["url"])
    engine = connect(url)
    reachable = is_reachable(engine)
    engine.dispose()
    return url if reachable else ""
