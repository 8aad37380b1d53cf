"""Notes in the audit what people look at, before they see it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

from triage.audit import Actor, AuditAction, AuditEvent
from triage.identifiers import StudyInstanceUid
from triage.ports import Clock
from worklist.auth import Identity
from worklist.ports import AuditTrail
from worklist.roles import Permission

REPEATED_AFTER_S = 600.0
"""A page asks for the same study again and again while it is open; that is one view, noted every ten minutes."""

_MOST_REMEMBERED = 20_000


@dataclass(slots=True)
class Noting:
    """Writes events for identities; views that go on are noted once in ten minutes by each web process."""

    audit: AuditTrail
    clock: Clock
    _noted: dict[tuple[str, ...], float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def view(
        self,
        identity: Identity,
        action: AuditAction,
        study: StudyInstanceUid | None = None,
        details: Mapping[str, str] | None = None,
        succeeded: bool = True,
    ) -> None:
        """Return when the view is in the chain; nobody sees what could not be noted (raises StoreUnavailable)."""
        details = details or {}
        key = (identity.session, action.value, study or "", *(f"{name}={value}" for name, value in details.items()))
        now = time.monotonic()
        with self._lock:
            if now - self._noted.get(key, -REPEATED_AFTER_S) < REPEATED_AFTER_S:
                return
        self.event(actor_of(identity), action, study, details, succeeded)
        with self._lock:
            if len(self._noted) >= _MOST_REMEMBERED:
                self._noted = {one: at for one, at in self._noted.items() if now - at < REPEATED_AFTER_S}
            if len(self._noted) < _MOST_REMEMBERED:
                self._noted[key] = now

    def event(
        self,
        actor: Actor,
        action: AuditAction,
        study: StudyInstanceUid | None = None,
        details: Mapping[str, str] | None = None,
        succeeded: bool = True,
    ) -> None:
        """Return when the event is in the chain; raises StoreUnavailable."""
        self.audit.note(AuditEvent(self.clock.now(), actor, action, succeeded, study, details or {}))


def actor_of(identity: Identity) -> Actor:
    """Return who an identity is in the words of the rules."""
    return Actor(identity.name, identity.role.value, leads=identity.may(Permission.LEAD_READING))
