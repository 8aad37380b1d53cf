"""Who sends to the gateway; no patient data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, text

from storage.transaction import transaction


@dataclass(frozen=True, slots=True)
class Sender:
    """A system that opened associations: how many are open, how many there were, and how many ended badly."""

    ae_title: str
    host: str
    open: int
    associations: int
    unfinished: int
    last_at: datetime


_SENDERS = text("""
    SELECT calling_ae_title AS ae_title, host,
           count(*) FILTER (WHERE closed_at IS NULL) AS open,
           count(*) AS associations,
           count(*) FILTER (WHERE closed_at IS NOT NULL AND outcome NOT IN ('released', 'refused')) AS unfinished,
           max(opened_at) AS last_at
    FROM associations WHERE opened_at > :since
    GROUP BY calling_ae_title, host ORDER BY max(opened_at) DESC LIMIT 200
""")


@dataclass(frozen=True, slots=True)
class GatewayReader:
    """Reads the figures, each call in a transaction of its own."""

    engine: Engine

    def senders(self, since: datetime) -> Sequence[Sender]:
        """Return who opened associations after `since`, the latest first, at most 200."""
        with transaction(self.engine) as connection:
            return [Sender(**row._mapping) for row in connection.execute(_SENDERS, {"since": since})]
