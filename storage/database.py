"""The connection to PostgreSQL: engine, migrations, and transactions that hand out the stores."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from storage.audit import AuditRows
from storage.forwardings import CircuitRows, ForwardingRows
from storage.reading import ReadingRows
from storage.results import ResultRows
from storage.routing import RoutingRows
from storage.schema import deidentified_copies
from storage.shadow import ShadowRows
from storage.studies import StudyRows
from storage.transaction import transaction
from storage.work_queue import JobRows
from triage.errors import InvalidSetting

_MIGRATION_LOCK = 0x41637569

_CONNECT_WITHIN_S = 10
_UNCONFIRMED_FOR_S = 15
"""What the network does not confirm for so long is given up, as when the database's machine was switched off."""


@dataclass(frozen=True, slots=True)
class RowRecords:
    """The stores of one transaction; satisfies `triage.ports.Records`."""

    studies: StudyRows
    results: ResultRows
    shadow: ShadowRows
    queue: JobRows
    forwardings: ForwardingRows
    deidentified: ForwardingRows
    circuits: CircuitRows
    routing: RoutingRows
    reading: ReadingRows
    audit: AuditRows


@dataclass(frozen=True, slots=True)
class DatabaseTransactions:
    """Transactions on one engine; satisfies `triage.ports.Transactions`."""

    engine: Engine

    @contextmanager
    def begin(self) -> Iterator[RowRecords]:
        """Commit everything done inside the context at its end, or nothing.

        Raises:
            StoreUnavailable: the database cannot be reached or went away; what was done is rolled back.
        """
        with transaction(self.engine) as connection:
            yield RowRecords(
                StudyRows(connection),
                ResultRows(connection),
                ShadowRows(connection),
                JobRows(connection),
                ForwardingRows(connection),
                ForwardingRows(connection, deidentified_copies),
                CircuitRows(connection),
                RoutingRows(connection),
                ReadingRows(connection),
                AuditRows(connection),
            )


def connect(url: str, pool_size: int = 5) -> Engine:
    """Return an engine for `url` ("postgresql://…"); nothing is opened before the first use.

    Raises:
        InvalidSetting: it is no such URL; the message does not repeat it, since it may hold a password.
    """
    try:
        with_driver = make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError) as error:
        raise InvalidSetting("database.url: no URL, needed postgresql://USER@HOST:PORT/NAME") from error
    patience = {"connect_timeout": _CONNECT_WITHIN_S, "tcp_user_timeout": _UNCONFIRMED_FOR_S * 1000}
    return create_engine(
        with_driver,
        pool_size=pool_size,
        max_overflow=20,
        pool_pre_ping=True,
        connect_args={name: value for name, value in patience.items() if name not in with_driver.query},
    )


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision; processes that start together take turns.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with transaction(engine) as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_reachable(engine: Engine) -> bool:
    """Return whether the database answers a query now."""
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except OperationalError:
        return False
    return True
