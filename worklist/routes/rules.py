"""The routing rules, for those who look after the gateway: what they say, and why they hold for a study or do not."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Path, Request, Security
from pydantic import BaseModel, ConfigDict

from triage.audit import AuditAction
from triage.identifiers import StudyInstanceUid
from triage.priority import Priority
from triage.rules import Actions, Answer, Routing, Trial, needs
from worklist.access import may, noting_of
from worklist.administration_ports import RoutingRules
from worklist.auth import Identity
from worklist.roles import Permission

router = APIRouter(prefix="/api/v1", tags=["rules"])

Operator = Annotated[Identity, Security(may(Permission.SEE_OPERATIONS))]


class ConditionView(BaseModel):
    """A condition and those inside it: what it needs; tried on a series, whether it holds and what was found."""

    model_config = ConfigDict(from_attributes=True)

    holds: bool
    needed: str
    found: str
    parts: list["ConditionView"]


class ActionsView(BaseModel):
    """What is wanted or was decided; empty lists, "" and null want nothing."""

    run_only: list[str]
    run_always: list[str]
    send_original: list[str]
    send_results: list[str]
    send_deidentified: list[str]
    priority_floor: str
    retention_days: int | None


class RuleView(BaseModel):
    """One rule in the order of the file; in `when` only what is needed counts."""

    name: str
    when: ConditionView
    then: ActionsView


class RulesView(BaseModel):
    """The rules in use; `has_changed`: the file is another one by now and takes effect at the next start."""

    sha256: str
    has_changed: bool
    rules: list[RuleView]


class SeriesTrial(BaseModel):
    """One rule on one series."""

    series_instance_uid: str
    answer: ConditionView


class TrialView(BaseModel):
    """One rule on a study: it matches where its condition holds for one series."""

    name: str
    matches: bool
    series: list[SeriesTrial]


class TrialsView(BaseModel):
    """Every rule on a study, and what follows from those that match."""

    trials: list[TrialView]
    follows: ActionsView
    problem: str


@router.get("/rules")
def rules(request: Request, _identity: Operator) -> RulesView:
    """Return the rules in use."""
    in_use = _rules(request)
    told = [RuleView(name=one.name, when=_condition(needs(one.when)), then=_wanted(one.then)) for one in in_use.rules]
    return RulesView(sha256=in_use.digest, has_changed=in_use.has_changed, rules=told)


@router.get("/studies/{study_instance_uid}/rules")
def try_rules(
    request: Request, identity: Operator, study_instance_uid: Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")]
) -> TrialsView:
    """Return rule by rule why it matches the study or not; the view is in the audit, since headers are shown."""
    uid = StudyInstanceUid(study_instance_uid)
    trials, routing = _rules(request).try_on(uid)
    noting_of(request).view(identity, AuditAction.STUDY_VIEWED, uid, {"rules": "tried"})
    return TrialsView(trials=[_trial(one) for one in trials], follows=_decided(routing), problem=routing.problem)


def _trial(trial: Trial) -> TrialView:
    series = [SeriesTrial(series_instance_uid=uid, answer=_condition(answer)) for uid, answer in trial.answers]
    return TrialView(name=trial.rule, matches=trial.matches, series=series)


def _condition(answer: Answer) -> ConditionView:
    return ConditionView.model_validate(answer)


def _wanted(actions: Actions) -> ActionsView:
    floor = actions.priority_floor
    return _actions(actions, actions.run_only, floor.name if floor is not None else "")


def _decided(routing: Routing) -> ActionsView:
    only = dict.fromkeys(model for one in routing.restrictions for model in one.models)
    raised = routing.priority_floor is not Priority.ROUTINE
    return _actions(routing, only, routing.priority_floor.name if raised else "")


def _actions(of: Actions | Routing, run_only: Iterable[str], floor: str) -> ActionsView:
    return ActionsView(
        run_only=list(run_only),
        run_always=list(of.run_always),
        send_original=list(of.send_original),
        send_results=list(of.send_results),
        send_deidentified=list(of.send_deidentified),
        priority_floor=floor,
        retention_days=of.retention_days,
    )


def _rules(request: Request) -> RoutingRules:
    in_use: RoutingRules = request.app.state.services.rules
    return in_use
