"""What many tests share: a real PostgreSQL with a fresh, migrated database for each test."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from storage.database import connect, migrate
from storage.embedded import start_embedded

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server with a migrated database called `template_acuity`."""
    server = start_embedded(tmp_path_factory.mktemp("postgres"))
    _run(server.url, "CREATE DATABASE template_acuity")
    engine = connect(_named(server.url, "template_acuity"))
    migrate(engine)
    engine.dispose()
    yield server.url
    server.stop()


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """The URL of a database of this test alone."""
    name = f"test_{uuid4().hex}"
    _run(postgres_url, f"CREATE DATABASE {name} TEMPLATE template_acuity")
    yield _named(postgres_url, name)
    _run(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a database of this test alone."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real labelled images; tests that need it are skipped where it is not."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets are not on this machine (../shared/data)")
    return SHARED_DATA


def _named(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def _run(url: str, statement: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
