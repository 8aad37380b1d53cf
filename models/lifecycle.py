"""The life of an installed model: draft, shadow, active, retired; one active model for each task."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from models.bundle import Bundle
from models.integrity import FileDigests
from models.registry import Origin, fits, full_name
from triage.errors import ModelStateNotAllowed, UnknownModel
from triage.findings import ModelIdentity
from triage.selection import Acceptance


class ModelState(StrEnum):
    """What a model may do: nothing yet, be watched beside the active one, answer for its task, nothing any more."""

    DRAFT = "draft"
    SHADOW = "shadow"
    ACTIVE = "active"
    RETIRED = "retired"


class ModelAction(StrEnum):
    """What was done to a model, as the history says it."""

    REGISTER = "register"
    SHADOW = "shadow"
    ACTIVATE = "activate"
    RETIRE = "retire"
    ROLLBACK = "rollback"


ALLOWED: Mapping[ModelState, frozenset[ModelState]] = {
    ModelState.DRAFT: frozenset({ModelState.SHADOW, ModelState.ACTIVE, ModelState.RETIRED}),
    ModelState.SHADOW: frozenset({ModelState.ACTIVE, ModelState.RETIRED}),
    ModelState.ACTIVE: frozenset({ModelState.SHADOW, ModelState.RETIRED}),
    ModelState.RETIRED: frozenset({ModelState.SHADOW, ModelState.ACTIVE}),
}


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What is noted of a bundle when it becomes known: enough to offer it, to list it and to find a changed file."""

    identity: ModelIdentity
    task: str
    licence: str
    origin: Origin
    folder: str
    files: FileDigests
    acceptance: Acceptance


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A model as the registry holds it."""

    id: int
    record: ModelRecord
    state: ModelState
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """Who changed the state of a model, when and why."""

    by: str
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change of one model; `before` is None where it became known."""

    model_id: int
    model: ModelIdentity
    task: str
    action: ModelAction
    before: ModelState | None
    after: ModelState
    decision: Decision


def record_of(bundle: Bundle, origin: Origin) -> ModelRecord:
    """Return what is noted of `bundle`."""
    spec = bundle.spec
    return ModelRecord(
        bundle.identity, spec.task, spec.licence, origin, str(bundle.folder), bundle.files, spec.accepts
    )  # fmt: skip


def require_allowed(model: RegisteredModel, wanted: ModelState) -> None:
    """Raise ModelStateNotAllowed unless `model` may go from its present state to `wanted`."""
    if wanted not in ALLOWED[model.state]:
        allowed = " or ".join(sorted(ALLOWED[model.state]))
        raise ModelStateNotAllowed(f"{full_name(model.record.identity)}: is {model.state}, may become {allowed}")


def reason_to_adopt(
    found: ModelRecord, models: Sequence[RegisteredModel], history: Iterable[HistoryEntry]
) -> str | None:
    """Return why a bundle that was not known before is active from the start; None where a person has to decide.

    A bundle that somebody installed never is. One that ships with Acuity, or lies in the folder of the settings, is
    where its task never had an active model, and where it came as a new version in the place of the active one: an
    upgrade has brought it. Other files under the version that is registered are no upgrade.
    """
    if found.origin is Origin.INSTALLED:
        return None
    for one in models:
        if one.state is ModelState.ACTIVE and _has_place_of(found, one.record):
            old, new = one.record.identity.version, found.identity.version
            return None if old == new else f"came in the place of version {old}"
    had_one = any(one.task == found.task and one.after is ModelState.ACTIVE for one in history)
    return None if had_one else "first model of its task"


def displaced_by(found: ModelRecord, models: Iterable[RegisteredModel]) -> tuple[RegisteredModel, ...]:
    """Return the active models that end when `found` becomes active: that of its task and of its place."""
    return tuple(
        one
        for one in models
        if one.state is ModelState.ACTIVE
        and one.record.identity != found.identity
        and (one.record.task == found.task or _has_place_of(found, one.record))
    )


def _has_place_of(found: ModelRecord, earlier: ModelRecord) -> bool:
    """Return whether `found` came where `earlier` was; an upgrade may lie beside the old version, in another folder."""
    same = (found.origin, found.identity.name) == (earlier.origin, earlier.identity.name)
    return same and found.origin is not Origin.INSTALLED


def rollback_target(history: Iterable[HistoryEntry], active_id: int | None) -> int | None:
    """Return the id of the model that was active before, None where there was none.

    Activations are a stack: each puts a model on top, each rollback takes those above its model away. So rolling back
    twice goes back two models, and not to and fro. Where no model is active, the one on top is meant.

    Args:
        history: every entry of one task, oldest first.
        active_id: the model that is active now.
    """
    stack: list[int] = []
    for entry in history:
        if entry.after is not ModelState.ACTIVE:
            continue
        if entry.action is ModelAction.ROLLBACK and entry.model_id in stack:
            del stack[len(stack) - stack[::-1].index(entry.model_id) :]
        else:
            stack.append(entry.model_id)
    if active_id is not None and stack:
        stack.pop()
    return stack[-1] if stack else None


def choose(
    wanted: str, models: Sequence[RegisteredModel], preferred: frozenset[ModelState] = frozenset(ModelState)
) -> RegisteredModel:
    """Return the model that `wanted` means, in the words of `fits`; of several, the one in a `preferred` state.

    Raises:
        UnknownModel: none fits, or more than one does.
    """
    fitting = [one for one in models if fits(wanted, one.record.identity)]
    if not fitting:
        known = ", ".join(sorted({one.record.identity.name for one in models})) or "none"
        raise UnknownModel(f"{wanted}: no such model, registered: {known}")
    chosen = [one for one in fitting if one.state in preferred] if len(fitting) > 1 else fitting
    if len(chosen) != 1:
        several = ", ".join(f"{full_name(one.record.identity)} ({one.state})" for one in chosen or fitting)
        raise UnknownModel(f"{wanted}: may mean {several}; name one of them")
    return chosen[0]
