"""The one order of the list: who is due first, and one sentence that says why."""

from dataclasses import replace
from datetime import datetime

from triage.findings import AiState
from triage.identifiers import StudyInstanceUid
from triage.priority import Priority, TargetTimes, deadline, most_urgent
from triage.rules import Routing
from triage.study import Study


def reading_key(study: Study) -> tuple[datetime, datetime, StudyInstanceUid]:
    """Return the sort key: earliest deadline first, ties by arrival, then by UID, so that the order is total."""
    return (study.deadline, study.received_at, study.study_instance_uid)


def reason_for(order_priority: Priority, order_word: str, ai_state: AiState, ai_reason: str) -> str:
    """Return the sentence of the row: what the AI says (never "normal"), and the order where it asks for speed."""
    order = f"order {order_word.strip().upper()}" if order_priority is not Priority.ROUTINE else ""
    said = {
        AiState.PENDING: "waiting for analysis",
        AiState.ANALYSED_FLAGGED: ai_reason,
        AiState.ANALYSED_NO_FLAG: f"no AI flag ({ai_reason})" if ai_reason else "no AI flag",
        AiState.OUT_OF_SCOPE: f"not analysed: {ai_reason}",
        AiState.FAILED: f"analysis failed: {ai_reason}",
    }[ai_state]
    return "; ".join(part for part in (said, order) if part)


def raised_by_rules(study: Study, routing: Routing, targets: TargetTimes) -> Study:
    """Return the study at least as urgent as the rules want it, with its deadline, and the rule in its reason."""
    band = most_urgent(study.priority, routing.priority_floor)
    words = routing.words
    reason = study.reason if not words or words in study.reason else f"{study.reason}; {words}"
    return replace(study, priority=band, deadline=deadline(study.received_at, band, targets), reason=reason)
