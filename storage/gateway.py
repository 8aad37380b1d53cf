"""What the gateway does: who sends, and where results go; no patient data."""

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


@dataclass(frozen=True, slots=True)
class DestinationFigures:
    """How many result objects a destination has, waits for and refused, when it took the last, and what it said."""

    name: str
    planned: int
    delivered: int
    refused: int
    last_delivered_at: datetime | None
    last_error: str


_SENDERS = text("""
    SELECT calling_ae_title AS ae_title, host,
           count(*) FILTER (WHERE closed_at IS NULL) AS open,
           count(*) AS associations,
           count(*) FILTER (WHERE closed_at IS NOT NULL AND outcome <> 'released') AS unfinished,
           max(opened_at) AS last_at
    FROM associations WHERE opened_at > :since
    GROUP BY calling_ae_title, host ORDER BY max(opened_at) DESC LIMIT 200
""")

_DESTINATIONS = text("""
    SELECT destination AS name,
           count(*) FILTER (WHERE state = 'planned') AS planned,
           count(*) FILTER (WHERE state = 'delivered') AS delivered,
           count(*) FILTER (WHERE state = 'refused') AS refused,
           max(delivered_at) AS last_delivered_at,
           coalesce(max(last_error) FILTER (WHERE state <> 'delivered'), '') AS last_error
    FROM deliveries GROUP BY destination ORDER BY destination
""")


@dataclass(frozen=True, slots=True)
class GatewayReader:
    """Reads the figures, each call in a transaction of its own."""

    engine: Engine

    def senders(self, since: datetime) -> Sequence[Sender]:
        """Return who opened associations after `since`, the latest first, at most 200."""
        with transaction(self.engine) as connection:
            return [Sender(**row._mapping) for row in connection.execute(_SENDERS, {"since": since})]

    def destinations(self) -> Sequence[DestinationFigures]:
        """Return every destination that something was planned for, by name."""
        with transaction(self.engine) as connection:
            return [DestinationFigures(**row._mapping) for row in connection.execute(_DESTINATIONS)]
