"""The registry of models as rows: each change of state with its history entry, in one transaction."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select, text, update

from models.lifecycle import (
    Decision,
    HistoryEntry,
    ModelAction,
    ModelRecord,
    ModelState,
    RegisteredModel,
    displaced_by,
    reason_to_adopt,
    require_allowed,
    rollback_target,
)
from models.registry import full_name
from storage.audit import AuditRows
from storage.rows import from_json, to_json
from storage.schema import model_history, models
from storage.transaction import transaction
from triage.audit import AuditEvent
from triage.errors import ModelStateNotAllowed
from triage.findings import ModelIdentity

_REGISTRY_LOCK = 0x41636D6F


@dataclass(frozen=True, slots=True)
class ModelRows:
    """Models and their history, each call in a transaction of its own; those that write take turns."""

    engine: Engine

    def all(self) -> tuple[RegisteredModel, ...]:
        """Return every model by task and name, the newest of a name last."""
        with transaction(self.engine) as connection:
            return _models(connection)

    def active(self) -> tuple[RegisteredModel, ...]:
        """Return the models in service, by task."""
        return tuple(one for one in self.all() if one.state is ModelState.ACTIVE)

    def history(self) -> tuple[HistoryEntry, ...]:
        """Return every change, oldest first."""
        with transaction(self.engine) as connection:
            return _history(connection)

    def register(self, found: Sequence[ModelRecord], decision: Decision) -> tuple[RegisteredModel, ...]:
        """Make bundles known that are not yet, and return those that are new.

        Each becomes a draft, or active where `reason_to_adopt` gives a reason. Of a known one the place is brought up
        to date, and nothing else changes.
        """
        with self._writing() as connection:
            added = [_added(connection, record, decision) for record in found]
            return tuple(one for one in added if one is not None)

    def move(
        self,
        model_id: int,
        wanted: ModelState,
        action: ModelAction,
        decision: Decision,
        event: AuditEvent | None = None,
        beside: Callable[[Connection], None] | None = None,
    ) -> RegisteredModel | None:
        """Bring a model into the state `wanted`, and return the model that it took the place of.

        `event` goes into the audit chain in the same transaction, in which `beside` may keep why it was done.

        Raises:
            ModelStateNotAllowed: the model cannot go there from its present state.
        """
        with self._writing() as connection:
            if event is not None:
                AuditRows(connection).append(event)
            if beside is not None:
                beside(connection)
            return _moved(connection, _model(connection, model_id), wanted, action, decision)

    def before(self, task: str) -> RegisteredModel:
        """Return the model of `task` that was active before the present one.

        Raises:
            ModelStateNotAllowed: there was none.
        """
        with transaction(self.engine) as connection:
            known = [one for one in _models(connection) if one.record.task == task]
            entries = [one for one in _history(connection) if one.task == task]
        active = next((one.id for one in known if one.state is ModelState.ACTIVE), None)
        target = rollback_target(entries, active)
        for one in known:
            if one.id == target:
                return one
        raise ModelStateNotAllowed(f"{task}: no model was active before, needed one to go back to")

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with transaction(self.engine) as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _REGISTRY_LOCK})
            yield connection


def _added(connection: Connection, record: ModelRecord, decision: Decision) -> RegisteredModel | None:
    known = next((one for one in _models(connection) if one.record.identity == record.identity), None)
    if known is not None:
        connection.execute(update(models).where(models.c.id == known.id).values(record=to_json(record)))
        return None
    reason = reason_to_adopt(record, _models(connection), _history(connection))
    values = {
        "name": record.identity.name,
        "version": record.identity.version,
        "digest": record.identity.digest,
        "task": record.task,
        "state": ModelState.DRAFT.value,
        "record": to_json(record),
        "registered_at": decision.at,
    }
    model_id = connection.execute(insert(models).values(values).returning(models.c.id)).scalar_one()
    _remember(connection, model_id, ModelAction.REGISTER, None, ModelState.DRAFT, decision)
    if reason is not None:
        draft = _model(connection, model_id)
        _moved(connection, draft, ModelState.ACTIVE, ModelAction.ACTIVATE, replace(decision, why=reason))
    return _model(connection, model_id)


def _moved(
    connection: Connection, model: RegisteredModel, wanted: ModelState, action: ModelAction, decision: Decision
) -> RegisteredModel | None:
    require_allowed(model, wanted)
    displaced = displaced_by(model.record, _models(connection)) if wanted is ModelState.ACTIVE else ()
    for one in displaced:
        why = f"{full_name(model.record.identity)} took its place" + (f": {decision.why}" if decision.why else "")
        _set_state(connection, one, ModelState.RETIRED, ModelAction.RETIRE, replace(decision, why=why))
    _set_state(connection, model, wanted, action, decision)
    return displaced[0] if displaced else None


def _set_state(
    connection: Connection, model: RegisteredModel, state: ModelState, action: ModelAction, decision: Decision
) -> None:
    connection.execute(update(models).where(models.c.id == model.id).values(state=state.value))
    _remember(connection, model.id, action, model.state, state, decision)


def _remember(
    connection: Connection,
    model_id: int,
    action: ModelAction,
    before: ModelState | None,
    after: ModelState,
    decision: Decision,
) -> None:
    values = {
        "model_id": model_id,
        "action": action.value,
        "state_before": before,
        "state_after": after.value,
        "decided_by": decision.by,
        "decided_at": decision.at,
        "why": decision.why,
    }
    connection.execute(insert(model_history).values(values))


def _models(connection: Connection) -> tuple[RegisteredModel, ...]:
    rows = connection.execute(select(models).order_by(models.c.task, models.c.name, models.c.id))
    return tuple(map(_registered, rows))


def _model(connection: Connection, model_id: int) -> RegisteredModel:
    return _registered(connection.execute(select(models).where(models.c.id == model_id)).one())


def _registered(row: Row[Any]) -> RegisteredModel:
    return RegisteredModel(row.id, from_json(ModelRecord, row.record), ModelState(row.state), row.registered_at)


def _history(connection: Connection) -> tuple[HistoryEntry, ...]:
    columns = (models.c.name, models.c.version, models.c.digest, models.c.task)
    query = select(model_history, *columns).join(models).order_by(model_history.c.id)
    return tuple(
        HistoryEntry(
            model_id=row.model_id,
            model=ModelIdentity(row.name, row.version, row.digest),
            task=row.task,
            action=ModelAction(row.action),
            before=ModelState(row.state_before) if row.state_before else None,
            after=ModelState(row.state_after),
            decision=Decision(row.decided_by, row.decided_at, row.why),
        )
        for row in connection.execute(query)
    )
