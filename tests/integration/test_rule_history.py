"""Every start keeps the rule file that it reads; what a new one changed is in the audit chain and in the report."""

import hashlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from deploy.rules_in_use import note_rules
from deploy.settings import Settings, SettingsFile
from deploy.surveying import facts_of
from storage.audit import AuditTrail
from storage.rule_history import RuleHistory
from triage.audit import AuditAction
from triage.errors import InvalidSetting

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
CHEST = """[[rules]]
name = "Chest"
when = { tag = "Modality", equals = "DX" }
then = { priority_floor = "urgent" }
"""
KEEP = """[[rules]]
name = "Keep"
then = { retention_days = 90 }
"""


@pytest.fixture
def settings(tmp_path):
    return Settings(tmp_path, SettingsFile.model_validate({"site": {"time_zone": "UTC"}}))


def start(engine, settings, content, hours):
    """Let a monitor start `hours` after noon, with such a rule file; None: with none."""
    file = settings.home / "rules.toml"
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_text(content, encoding="utf-8")
    note_rules(engine, settings, SimpleNamespace(now=lambda: NOON + timedelta(hours=hours)))


def test_a_start_without_rules_keeps_nothing(engine, settings):
    start(engine, settings, None, 0)

    assert RuleHistory(engine).changes(NOON, NOON + timedelta(days=1)) == []
    assert list(AuditTrail(engine).every()) == []


def test_each_new_file_says_which_rules_it_changed(engine, settings):
    files = (CHEST, CHEST, CHEST + KEEP, CHEST.replace("urgent", "critical") + KEEP, "# none for now\n" + KEEP, None)
    for hours, content in enumerate(files):
        start(engine, settings, content, hours)

    changes = RuleHistory(engine).changes(NOON, NOON + timedelta(days=1))

    assert [(one.at - NOON, one.added, one.removed, one.changed) for one in changes] == [
        (timedelta(hours=0), ("Chest",), (), ()),
        (timedelta(hours=2), ("Keep",), (), ()),
        (timedelta(hours=3), (), (), ("Chest",)),
        (timedelta(hours=4), (), ("Chest",), ()),
        (timedelta(hours=5), (), ("Keep",), ()),
    ]
    assert changes[1].sha256 == hashlib.sha256((CHEST + KEEP).encode()).hexdigest()
    noted = [one.event for one in AuditTrail(engine).every()]
    assert {one.action for one in noted} == {AuditAction.RULES_CHANGED}
    assert [one.details.get("changed") for one in noted] == [None, None, "Chest", None, None]


def test_the_report_lists_the_changes_of_its_days_against_the_file_before_them(engine, settings):
    for hours, content in ((-24, CHEST), (1, CHEST + KEEP), (24, KEEP)):
        start(engine, settings, content, hours)

    facts = facts_of(engine, settings, NOON.date(), NOON.date(), NOON + timedelta(days=3))

    assert [(one.added, one.removed) for one in facts.rule_changes] == [(("Keep",), ())]


def test_a_file_with_a_mistake_is_not_kept(engine, settings):
    with pytest.raises(InvalidSetting, match="priority_floor"):
        start(engine, settings, CHEST.replace("urgent", "hurried"), 0)

    assert RuleHistory(engine).changes(NOON, NOON + timedelta(days=1)) == []
