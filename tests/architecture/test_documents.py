"""What the documents state in tables is what the code does."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from dicom_gateway.statuses import ServiceStatus, StoreStatus
from models.lifecycle import ALLOWED, ModelState
from models.triage_spec import Aggregation, Preparation, TriageSpec
from tests.architecture.settings_tree import all_settings
from tests.architecture.source_tree import ROOT, require_none
from triage.selection import Acceptance

DOCS = ROOT / "docs"


def test_the_conformance_statement_lists_every_status_that_the_receiver_answers_with():
    stated = {row[0]: row[1] for row in table_under("## Statuses that the receiver answers", _read("conformance.md"))}

    assert stated == {f"{status:04X}H": status.name for status in StoreStatus}


def test_the_conformance_statement_lists_every_status_of_the_other_services():
    page = _read("conformance.md")

    require_none([f"{one:04X}H {one.name}" for one in ServiceStatus if f"| {one:04X}H | {one.name} |" not in page])


def test_the_operations_guide_lists_every_setting_with_its_default():
    stated = table_under("## Settings", _read("operations.md"))

    require_none(differences(stated, [[f"`{s.name}`", f"`{s.default}`", s.description] for s in all_settings()]))


def test_the_operations_guide_lists_every_environment_variable():
    read = set(re.findall(r'"(ACUITY_[A-Z_]+)"', (ROOT / "deploy" / "settings.py").read_text(encoding="utf-8")))
    stated = {row[0].strip("`") for row in table_under("## Environment variables", _read("operations.md"))}

    assert stated == read


def test_the_operations_guide_lists_every_metric():
    exposed = set(re.findall(r'"(acuity_\w+)"', (ROOT / "worklist" / "figures.py").read_text(encoding="utf-8")))
    stated = {re.split(r"[{`]", row[0].strip("`"))[0] for row in table_under("## Metrics", _read("operations.md"))}

    assert stated == exposed


def test_the_page_about_models_lists_every_key_of_triage_json():
    stated = {row[0].strip("`") for row in table_under("## Keys of triage.json", _read("models.md"))}
    parts = {"accepts": Acceptance, "preparation": Preparation, "aggregation": Aggregation}
    keys = {field.name for field in fields(TriageSpec)}
    keys |= {f"{name}.{field.name}" for name, part in parts.items() for field in fields(part)}

    assert stated == keys


def test_the_page_about_models_lists_every_command_and_every_step():
    page = _read("models.md")
    commands = {row[0].strip("`").split()[2] for row in table_under("## Commands", page)}
    steps = {row[0]: set(row[2].split(", ")) for row in table_under("## States", page)}

    changes = {"install", "activate", "shadow", "retire", "rollback", "seal", "sign"}
    assert commands == changes | {"list", "show", "verify", "card", "shadow-report"}
    assert steps == {before.value: {after.value for after in ALLOWED[before]} for before in ModelState}


@pytest.mark.parametrize("page", sorted((DOCS / "decisions").glob("*.md")), ids=lambda page: page.name)
def test_a_decision_has_context_options_choice_and_what_would_change_our_mind(page):
    headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)

    assert headings == ["Context", "Options", "Choice", "What would change our mind"]


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")]), ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_somewhere(page):
    assert broken_links(page, page.read_text(encoding="utf-8")) == []


def test_the_checks_see_a_missing_row_another_default_and_a_broken_link(tmp_path):
    wanted = [["`a`", "`1`", "one"], ["`b`", "`2`", "two"]]
    text = "## Settings\n\n| name | default | meaning |\n|---|---|---|\n| `a` | `7` | one |\n\n## Next\n| x |\n"

    assert table_under("## Settings", text) == [["`a`", "`7`", "one"]]
    assert len(differences(table_under("## Settings", text), wanted)) == 3
    assert broken_links(tmp_path / "page.md", "[a](missing.md) [b](https://x/y) [c](#d)") == ["page.md: missing.md"]


def differences(stated, wanted):
    lines = {row[0]: " | ".join(row) for row in wanted}
    missing = [f"needed: | {' | '.join(row)} |" for row in wanted if row not in stated]
    return missing + [f"not so (any more): {row[0]}" for row in stated if lines.get(row[0]) != " | ".join(row)]


def table_under(heading, text):
    """Return the cells of the first table under `heading`, without its header, row by row."""
    section = text.split(f"{heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip().strip("|") for line in section.splitlines() if line.strip().startswith("|")]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)] for row in rows[2:]]


def broken_links(page, text):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    inside = (target for target in targets if "://" not in target and not target.startswith("mailto:"))
    return [f"{page.name}: {target}" for target in inside if not (Path(page).parent / target).exists()]


def _read(name):
    return (DOCS / name).read_text(encoding="utf-8")
