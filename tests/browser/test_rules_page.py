"""The page of routing rules: what they say, and why each holds for a study or does not."""

from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from deploy.rules_in_use import RulesInUse
from deploy.settings import Settings, SettingsFile
from tests.browser.conftest import PASSWORD
from tests.browser.department import Department, services_on
from tests.browser.going import go_to
from tests.browser.serving import running
from tests.browser.test_accessibility import axe as axe
from tests.browser.test_accessibility import complaints_of
from tests.browser.test_quick_look import simulated
from tests.browser.test_worklist_page import log_in
from worklist.app import create_app
from worklist.auth import ensure_admin
from worklist.settings import WebSettings

pytestmark = pytest.mark.xdist_group("browser")

RULES = """
[[rules]]
name = "head CT comes first"
when = { all = [ { tag = "Modality", equals = "CT" }, { not = { contrast = true } } ] }
then = { run_only = ["ct-head-haemorrhage"], priority_floor = "urgent" }
[[rules]]
name = "keep magnetic resonance"
when = { tag = "Modality", equals = "MR" }
then = { retention_days = 0 }
"""


@pytest.fixture
def rule_file(tmp_path):
    file = tmp_path / "home" / "rules.toml"
    file.parent.mkdir()
    file.write_text(RULES, encoding="utf-8")
    return file


@pytest.fixture
def rules_page(chromium, engine, rule_file):
    services = services_on(engine)
    in_use = RulesInUse(engine, Settings(rule_file.parent, SettingsFile()))
    ensure_admin(services.accounts, PASSWORD, services.clock)
    app = create_app(replace(services, rules=in_use), WebSettings(ping_every=timedelta(seconds=1)))
    with running(app) as url:
        page = chromium.new_page(base_url=url, viewport={"width": 1440, "height": 900})
        log_in(page)
        go_to(page, "Rules")
        yield page
        page.close()


def test_rules_are_told_in_words_and_a_file_that_changed_is_noticed(rules_page, rule_file, axe):
    first, second = rules_page.locator(".rule").nth(0), rules_page.locator(".rule").nth(1)
    expect(first).to_contain_text("Modality: CT")
    expect(first).to_contain_text("ask only ct-head-haemorrhage")
    expect(first).to_contain_text("at least urgent")
    expect(second).to_contain_text("keep the images for ever")
    assert complaints_of(rules_page, axe) == []

    rule_file.write_text(RULES.replace("urgent", "critical"), encoding="utf-8")
    rules_page.reload()

    expect(rules_page.get_by_role("alert")).to_contain_text("another one by now")
    expect(rules_page.get_by_role("region", name="Rules")).to_contain_text("at least urgent")


def test_a_study_is_tried_and_each_answer_says_what_was_found(rules_page, engine, tmp_path, axe):
    uid = Department(engine).scans(tmp_path / "ct", simulated("ct"))

    rules_page.get_by_label("Accession number").fill(uid)
    rules_page.get_by_role("button", name="Try the rules").click()

    expect(rules_page.get_by_role("status", name="What follows")).to_contain_text("at least urgent")
    first, second = rules_page.locator(".rule").nth(0), rules_page.locator(".rule").nth(1)
    expect(first).to_contain_text("matches")
    expect(second).to_contain_text("does not match")
    expect(second).to_contain_text("(found: CT)")
    assert complaints_of(rules_page, axe) == []
    rules_page.get_by_label("Accession number").fill("nowhere")
    rules_page.get_by_role("button", name="Try the rules").click()
    expect(rules_page.get_by_text("No study has this accession number")).to_be_visible()
