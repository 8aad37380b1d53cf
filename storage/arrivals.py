"""The usual arrival, one more instance of a study that still receives, as one statement and one commit."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from threading import Lock

import psycopg
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from storage.schema import instances as instance_rows
from storage.studies import instance_values
from triage.identifiers import Sha256, SopInstanceUid
from triage.priority import from_order
from triage.study import ReceivedInstance

_CONNECT_WITHIN_S = 5
_ANSWER_WITHIN_MS = 10_000

# The lock comes first: a study that is being closed is waited for and then no longer RECEIVING, so that its instance
# takes the long way and opens the next revision.
_CONTINUE = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%s) AS one({typed_columns}, order_priority smallint)
), receiving AS (
    SELECT study_instance_uid, order_priority FROM studies
    WHERE status = 'RECEIVING' AND study_instance_uid IN (SELECT study_instance_uid FROM given)
    ORDER BY study_instance_uid FOR UPDATE
), added AS (
    INSERT INTO instances ({columns}) SELECT {given_columns}
    FROM given JOIN receiving USING (study_instance_uid) WHERE given.order_priority >= receiving.order_priority
    ON CONFLICT DO NOTHING RETURNING sop_instance_uid, sha256, study_instance_uid
), continued AS (
    UPDATE studies SET last_instance_at = greatest(last_instance_at, %s)
    WHERE study_instance_uid IN (SELECT study_instance_uid FROM added)
)
SELECT sop_instance_uid, sha256 FROM added
"""


@dataclass(slots=True)
class ArrivalRows:
    """Satisfies `triage.ports.Arrivals`, on a connection of its own that is opened when it is needed first."""

    engine: Engine
    _connection: psycopg.Connection | None = field(default=None, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def continue_studies(
        self, arrived: Sequence[ReceivedInstance], at: datetime
    ) -> frozenset[tuple[SopInstanceUid, Sha256]]:
        values = [
            instance_values(one, at) | {"order_priority": int(from_order(one.header.study.order_priority))}
            for one in arrived
        ]
        given = json.dumps(values, default=datetime.isoformat)
        with self._lock:
            try:
                self._connection = self._connection or self._open()
                rows = self._connection.execute(_statement(), (given, at)).fetchall()
            except (psycopg.OperationalError, psycopg.InterfaceError):
                # Whether it was committed or not, the long way finds out, and says so if there is no database.
                self.close()
                return frozenset()
        return frozenset((SopInstanceUid(uid), Sha256(digest)) for uid, digest in rows)

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def _open(self) -> psycopg.Connection:
        address = self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(
            address,
            autocommit=True,
            prepare_threshold=0,
            connect_timeout=_CONNECT_WITHIN_S,
            options=f"-c statement_timeout={_ANSWER_WITHIN_MS}",
        )


@cache
def _statement() -> str:
    dialect = make_url("postgresql+psycopg://").get_dialect()()
    names = list(instance_rows.c.keys())
    return _CONTINUE.format(
        typed_columns=", ".join(f"{column.name} {column.type.compile(dialect)}" for column in instance_rows.c),
        columns=", ".join(names),
        given_columns=", ".join(f"given.{name}" for name in names),
    )
