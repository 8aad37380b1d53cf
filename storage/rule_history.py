"""Every rule file that the platform has read, as rows: what was in force when."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select, text

from storage.audit import AuditRows
from storage.schema import rule_files
from storage.transaction import transaction
from triage.audit import PLATFORM, AuditAction, AuditEvent
from triage.identifiers import Sha256
from triage.rule_history import RuleChange, RuleFile, change_between, changes_of

_LOCK = 0x52756C65


@dataclass(frozen=True, slots=True)
class RuleHistory:
    """The files that were read, each call in a transaction of its own."""

    engine: Engine

    def keep(self, file: RuleFile) -> RuleChange | None:
        """Keep a file that is another one than was read last, with its link of the audit chain; None where it is not.

        No file, where there never was one, is no change.
        """
        with transaction(self.engine) as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            before = _newest(connection)
            if before == file.content:
                return None
            values = {"sha256": file.sha256, "content": file.content, "read_at": file.read_at}
            connection.execute(insert(rule_files).values(values))
            change = change_between(before, file)
            named = {name: ", ".join(getattr(change, name)) for name in ("added", "removed", "changed")}
            told = {"sha256": file.sha256} | {name: words for name, words in named.items() if words}
            AuditRows(connection).append(AuditEvent(file.read_at, PLATFORM, AuditAction.RULES_CHANGED, details=told))
        return change

    def changes(self, start: datetime, end: datetime) -> list[RuleChange]:
        """Return what changed from `start` to before `end`, the oldest first."""
        own = rule_files.c
        query = select(rule_files).where(own.read_at >= start, own.read_at < end).order_by(own.number)
        with transaction(self.engine) as connection:
            before, files = _newest(connection, start), [_file(row) for row in connection.execute(query)]
        return list(changes_of(before, files))


def _newest(connection: Connection, before: datetime | None = None) -> str:
    """Return the content of the file that was read last, empty where there was none."""
    query = select(rule_files.c.content).order_by(rule_files.c.number.desc()).limit(1)
    if before is not None:
        query = query.where(rule_files.c.read_at < before)
    return str(connection.execute(query).scalar_one_or_none() or "")


def _file(row: Row[Any]) -> RuleFile:
    return RuleFile(Sha256(row.sha256), row.content, row.read_at.astimezone(UTC))
