"""What the receivers note beside the instances: associations, and bytes that nobody could read."""

from dataclasses import dataclass

from sqlalchemy import Engine, func, update
from sqlalchemy.dialects.postgresql import insert

from storage.schema import associations, quarantine
from storage.transaction import transaction
from triage.study import Source, StoredFile


@dataclass(frozen=True, slots=True)
class IntakeRows:
    """Each note is a transaction of its own; raises StoreUnavailable when the database does not answer."""

    engine: Engine

    def association_opened(self, association_id: str, calling_ae_title: str, host: str) -> None:
        """Note that an association was accepted; its studies are not complete before it is closed or quiet."""
        values = {
            "association_id": association_id,
            "calling_ae_title": calling_ae_title,
            "host": host,
            "opened_at": func.now(),
            "outcome": "open",
        }
        with transaction(self.engine) as connection:
            connection.execute(insert(associations).values(values).on_conflict_do_nothing())

    def association_closed(self, association_id: str, outcome: str) -> None:
        """Note how it ended: "released", "refused" (so, with one not taken), "aborted", "lost", "rejected"."""
        closing = (
            update(associations)
            .where(associations.c.association_id == association_id, associations.c.closed_at.is_(None))
            .values(closed_at=func.now(), outcome=outcome)
        )
        with transaction(self.engine) as connection:
            connection.execute(closing)

    def quarantined(self, file: StoredFile, claimed_uid: str, reason: str, source: Source) -> None:
        """Make unreadable bytes known; the same bytes under the same claim are noted once."""
        values = {
            "reason": reason,
            "claimed_sop_instance_uid": claimed_uid,
            "sha256": file.sha256,
            "size": file.size,
            "path": file.path,
            "source_ae_title": source.ae_title,
            "source_host": source.host,
            "received_at": func.now(),
        }
        with transaction(self.engine) as connection:
            connection.execute(insert(quarantine).values(values).on_conflict_do_nothing())
