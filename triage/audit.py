"""Who did what to which study, when: events sealed into a chain in which no link can be changed unseen."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from triage.identifiers import Sha256, StudyInstanceUid

START = Sha256("0" * 64)
"""What the first link names as the digest before it."""


class AuditAction(StrEnum):
    """What is noted, after the words of the page."""

    LOGGED_IN = "logged_in"
    LOGIN_REFUSED = "login_refused"
    LOGGED_OUT = "logged_out"
    LIST_VIEWED = "list_viewed"
    LIST_SEARCHED = "list_searched"
    STUDY_VIEWED = "study_viewed"
    IMAGES_VIEWED = "images_viewed"
    IMAGES_STORED = "images_stored"
    QUERY_ANSWERED = "query_answered"
    IMAGES_RETRIEVED = "images_retrieved"
    IMAGES_FETCHED = "images_fetched"
    INCIDENTS_VIEWED = "incidents_viewed"
    AUDIT_VIEWED = "audit_viewed"
    ACCESS_REFUSED = "access_refused"
    CLAIMED = "claimed"
    RELEASED = "released"
    READ = "read"
    REOPENED = "reopened"
    VERDICT_GIVEN = "verdict_given"
    NOTE_WRITTEN = "note_written"
    REPRIORITISED = "reprioritised"
    ORDER_RESTORED = "order_restored"
    UNDONE = "undone"
    EXPIRED = "expired"
    INCIDENT_HANDLED = "incident_handled"
    ACCOUNT_CHANGED = "account_changed"
    PLAN_LOCKED = "plan_locked"
    VERDICT_REACHED = "verdict_reached"
    MODEL_ACTIVATED = "model_activated"
    DELIVERIES_REPLAYED = "deliveries_replayed"
    IMAGES_REMOVED = "images_removed"
    ALARMS_VIEWED = "alarms_viewed"
    ALARM_OPENED = "alarm_opened"
    ALARM_ACKNOWLEDGED = "alarm_acknowledged"
    ALARM_ASSIGNED = "alarm_assigned"
    ALARM_CLOSED = "alarm_closed"
    NOTIFICATION_SENT = "notification_sent"
    NOTIFICATION_REFUSED = "notification_refused"
    NOTIFICATION_RETRIED = "notification_retried"
    ESCALATION_ENDED = "escalation_ended"
    GLASS_BROKEN = "glass_broken"
    ALARM_ESCALATED = "alarm_escalated"
    FLAGS_PAUSED = "flags_paused"
    RULES_CHANGED = "rules_changed"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: the name of an account, and its role; `leads` may act over others and lower a priority."""

    name: str
    role: str
    leads: bool = False


PLATFORM = Actor("acuity", "platform")
"""Who acts when a lease or an override comes to its end."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One thing that happened; `details` hold short words and numbers, never a patient's name or a search word."""

    at: datetime
    actor: Actor
    action: AuditAction
    succeeded: bool = True
    study_instance_uid: StudyInstanceUid | None = None
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A link of the chain: numbers count from 1 without a gap, `digest` seals this link and the one before."""

    number: int
    event: AuditEvent
    previous: Sha256
    digest: Sha256


@dataclass(frozen=True, slots=True)
class Verification:
    """What checking the chain found: how many links are whole, the digest of the last one, and the first fault."""

    links: int
    head: Sha256
    fault: str = ""

    @property
    def is_whole(self) -> bool:
        return not self.fault


def sealed(number: int, event: AuditEvent, previous: Sha256) -> AuditRecord:
    """Return `event` as link `number` behind the link with the digest `previous`."""
    return AuditRecord(number, event, previous, digest_of(number, event, previous))


def digest_of(number: int, event: AuditEvent, previous: Sha256) -> Sha256:
    """Return the SHA-256 over the link's canonical JSON: sorted keys, no spaces, UTC with microseconds."""
    content = {
        "number": number,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": event.actor.name,
        "role": event.actor.role,
        "action": event.action.value,
        "succeeded": event.succeeded,
        "study_instance_uid": event.study_instance_uid,
        "details": dict(event.details),
        "previous": previous,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return Sha256(hashlib.sha256(text.encode()).hexdigest())


def verified(records: Iterable[AuditRecord], anchor: tuple[int, str] | None = None) -> Verification:
    """Return whether `records`, in the order of their numbers, are one unbroken chain from the first link on.

    Args:
        records: every link.
        anchor: a number and a digest that were written down elsewhere before. A chain that was cut off or rewritten
            as a whole is unbroken in itself; only this shows it.
    """
    expected, head = 1, START
    seen: str | None = None
    for record in records:
        if fault := _fault(record, expected, head):
            return Verification(expected - 1, head, fault)
        if anchor is not None and record.number == anchor[0]:
            seen = record.digest
        expected, head = expected + 1, record.digest
    if anchor is not None and seen != anchor[1]:
        found = "no such link" if seen is None else f"its digest is {seen}"
        return Verification(expected - 1, head, f"link {anchor[0]}: {found}, needed {anchor[1]}")
    return Verification(expected - 1, head)


def _fault(record: AuditRecord, expected: int, head: Sha256) -> str:
    if record.number != expected:
        return f"link {expected} is missing, link {record.number} follows link {expected - 1}"
    if record.previous != head:
        return f"link {record.number} does not follow the link before it"
    if record.digest != digest_of(record.number, record.event, record.previous):
        return f"link {record.number} was changed after it was sealed"
    return ""
