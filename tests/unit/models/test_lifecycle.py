"""Draft, shadow, active, retired: which steps are allowed, what an upgrade takes over, what a rollback goes back to."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from models.licence import is_research_only, licence_words
from models.lifecycle import (
    Decision,
    HistoryEntry,
    ModelAction,
    ModelRecord,
    ModelState,
    RegisteredModel,
    choose,
    displaced_by,
    reason_to_adopt,
    require_allowed,
    rollback_target,
)
from models.registry import Origin
from triage.errors import ModelStateNotAllowed, UnknownModel
from triage.findings import ModelIdentity
from triage.selection import Acceptance

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DECISION = Decision("somebody", NOW, "")
DRAFT, SHADOW, ACTIVE, RETIRED = ModelState
RECORD = ModelRecord(
    ModelIdentity("head", "1.0.0", "a" * 64),
    "bleeding",
    "CC0",
    Origin.SHIPPED,
    "/bundles/head",
    (),
    Acceptance(("CT",)),
)


def registered(model_id: int = 1, state: ModelState = ACTIVE, version: str = "1.0.0", **changes: object):
    digest = str(model_id) * 64
    record = replace(RECORD, identity=ModelIdentity("head", version, digest), **changes)
    return RegisteredModel(model_id, record, state, NOW)


def entry(
    model_id: int, action: ModelAction = ModelAction.ACTIVATE, after: ModelState = ACTIVE, task: str = "bleeding"
):
    return HistoryEntry(model_id, RECORD.identity, task, action, DRAFT, after, DECISION)


@pytest.mark.parametrize(("before", "after"), list(product(ModelState, ModelState)))
def test_every_step_is_allowed_or_refused_as_the_table_says(before, after):
    allowed = {
        *((DRAFT, one) for one in (SHADOW, ACTIVE, RETIRED)),
        *((SHADOW, one) for one in (ACTIVE, RETIRED)),
        *((ACTIVE, one) for one in (SHADOW, RETIRED)),
        *((RETIRED, one) for one in (SHADOW, ACTIVE)),
    }

    if (before, after) in allowed:
        require_allowed(registered(state=before), after)
    else:
        with pytest.raises(ModelStateNotAllowed, match=rf"head@1\.0\.0-1{{12}}: is {before}, may become "):
            require_allowed(registered(state=before), after)


def test_the_first_model_of_a_task_is_active_from_the_start():
    assert reason_to_adopt(RECORD, [], []) == "first model of its task"


@pytest.mark.parametrize("history", [[], [entry(1)]])
def test_an_installed_model_waits_for_a_person(history):
    assert reason_to_adopt(replace(RECORD, origin=Origin.INSTALLED), [], history) is None


def test_a_task_that_once_had_an_active_model_waits_for_a_person():
    assert reason_to_adopt(RECORD, [registered(state=RETIRED)], [entry(1)]) is None
    assert reason_to_adopt(RECORD, [], [entry(1, task="another task")]) == "first model of its task"


def test_an_upgrade_takes_over_from_the_active_model_whose_place_it_took():
    new = replace(RECORD, identity=ModelIdentity("head", "1.1.0", "b" * 64))

    assert reason_to_adopt(new, [registered()], [entry(1)]) == "came in the place of version 1.0.0"
    assert reason_to_adopt(new, [registered(state=SHADOW)], [entry(1)]) is None
    assert reason_to_adopt(new, [registered(folder="/beside")], [entry(1)]) == "came in the place of version 1.0.0"
    assert reason_to_adopt(new, [registered(origin=Origin.INSTALLED)], [entry(1)]) is None


def test_other_files_under_the_same_version_are_no_upgrade():
    assert reason_to_adopt(RECORD, [registered(model_id=2)], [entry(2)]) is None


def test_a_model_displaces_the_active_one_of_its_task_and_of_its_place_and_no_other():
    new = replace(RECORD, identity=ModelIdentity("head", "2.0.0", "c" * 64))
    of_task = registered(1, origin=Origin.INSTALLED)
    of_place = registered(2, task="another")
    others = [registered(3, state=SHADOW), registered(4, task="another", origin=Origin.INSTALLED)]

    assert displaced_by(new, [of_task, of_place, *others]) == (of_task, of_place)


@pytest.mark.parametrize(
    ("history", "active", "target"),
    [
        ([], None, None),
        ([entry(1)], 1, None),
        ([entry(1), entry(2)], 2, 1),
        ([entry(1), entry(2), entry(3)], 3, 2),
        ([entry(1), entry(2), entry(3), entry(2, ModelAction.ROLLBACK)], 2, 1),
        ([entry(1), entry(2), entry(3), entry(2, ModelAction.ROLLBACK), entry(1, ModelAction.ROLLBACK)], 1, None),
        ([entry(1), entry(2), entry(1, ModelAction.ROLLBACK), entry(3)], 3, 1),
        ([entry(1), entry(2), entry(1)], 1, 2),
        ([entry(1), entry(2), entry(2, ModelAction.RETIRE, RETIRED)], None, 2),
        ([entry(1), entry(2, ModelAction.SHADOW, SHADOW)], 1, None),
    ],
)  # fmt: skip
def test_rolling_back_goes_down_the_stack_of_activations(history, active, target):
    assert rollback_target(history, active) == target


def test_a_model_is_chosen_by_its_words_and_among_several_by_its_state():
    old, new = registered(1, RETIRED), registered(2, ACTIVE, "2.0.0")

    assert choose("head", [old, new], frozenset({ACTIVE})) == new
    assert choose("head@1.0.0", [old, new], frozenset({ACTIVE})) == old
    assert choose("head", [old], frozenset({ACTIVE})) == old
    with pytest.raises(
        UnknownModel, match=r"head: may mean head@1\.0\.0-1{12} \(retired\), head@2\.0\.0-2{12} \(active\)"
    ):
        choose("head", [old, new])
    with pytest.raises(UnknownModel, match="heart: no such model, registered: head"):
        choose("heart", [old, new])


@pytest.mark.parametrize(
    ("licence", "only"),
    [
        ("CC-BY-NC-SA-4.0", True),
        ("CC BY-NC-SA 4.0", True),
        ("Non-commercial use", True),
        ("research use only", True),
        ("CC-BY-4.0", False),
        ("Apache-2.0", False),
        ("NCSA", False),
    ],
)
def test_a_research_only_licence_says_so(licence, only):
    assert is_research_only(licence) is only
    assert licence_words(licence) == (f"{licence}, research use only" if only else licence)
