"""One transaction on an engine, with the database's failures told in the words of the domain."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.errors import UndefinedTable
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from triage.errors import StoreUnavailable


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Commit what was done on the connection at the end of the context, or nothing.

    Raises:
        StoreUnavailable: the database cannot be reached, went away, has no connection free, or lacks a table that this
            version needs.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except (OperationalError, InterfaceError) as error:
        # The server's words come on several lines; an error has one.
        raise StoreUnavailable(f"database: {' '.join(str(error.orig).split())}") from error
    except ProgrammingError as error:
        if isinstance(error.orig, UndefinedTable):
            raise StoreUnavailable("database: its schema is too old, needed: `acuity migrate`") from error
        raise
    except NoFreeConnection as error:
        raise StoreUnavailable("database: every connection of the pool is busy") from error
