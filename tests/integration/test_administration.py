"""What the administrator's page is told, and views that people keep."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from models.lifecycle import Decision, ModelRecord
from models.registry import Origin
from storage.intake import IntakeRows
from tests.browser.department import HAEMORRHAGE, ICH, PASSWORD, Department, Said, services_on
from tests.browser.serving import running
from tests.builders import HEAD_CT
from tests.integration.test_worklist_api import CT, JANE, with_role
from worklist.app import create_app
from worklist.auth import Passwords, ensure_admin
from worklist.roles import Role
from worklist.settings import WebSettings


@pytest.fixture
def services(engine):
    return services_on(engine)


@pytest.fixture
def client(services, tmp_path):
    settings = WebSettings(
        answer_failures_after=timedelta(0),
        data_folder=tmp_path,
        kept_free_bytes=2_000_000_000,
        destinations={"PACS": "PACS at 192.0.2.20:104"},
    )
    with running(create_app(services, settings)) as url, httpx.Client(base_url=url, headers={"Origin": url}) as client:
        yield client


def log_in(client, services, name):
    services.accounts.create_account(name, Passwords().hash(PASSWORD), Role.READER.value, services.clock.now())
    client.post("/api/v1/session", json={"name": name, "password": PASSWORD}).raise_for_status()


def test_the_gateway_tells_who_sends_where_results_go_and_how_full_the_disk_is(client, services, engine, tmp_path):
    intake, department = IntakeRows(engine), Department(engine)
    for number, outcome in enumerate(("released", "aborted", None)):
        intake.association_opened(f"a{number}", "CT_1", "10.0.0.5")
        if outcome:
            intake.association_closed(f"a{number}", outcome)
    intake.association_opened("old", "CT_OLD", "10.0.0.6")
    with engine.begin() as connection:
        connection.execute(text("UPDATE associations SET opened_at = now() - interval '25 h' WHERE host = '10.0.0.6'"))
    uid = department.receives(JANE, CT)
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))
    department.sends(uid, {"PACS": "", "RIS": "0122H refused"})

    told = client.get("/api/v1/gateway", headers=with_role(services, Role.OPERATOR)).json()

    (sender,) = told["senders"]
    assert (sender["ae_title"], sender["open"], sender["associations"], sender["unfinished"]) == ("CT_1", 1, 3, 1)
    assert [(one["name"], one["waiting"]) for one in told["queues"]] == [("triage", 0), ("delivery", 0)]
    pacs, ris = told["destinations"]
    assert (pacs["name"], pacs["address"], pacs["delivered"], pacs["refused"]) == (
        "PACS",
        "PACS at 192.0.2.20:104",
        1,
        0,
    )
    assert (ris["name"], ris["address"], ris["refused"], ris["retry_at"]) == ("RIS", "", 1, None)
    assert told["disk"]["kept_free_bytes"] == 2_000_000_000
    assert 0 < told["disk"]["free_bytes"] < told["disk"]["total_bytes"]
    assert "4711" not in str(told)


def test_models_are_told_with_their_state_and_card(client, services, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text("# Card <script>", encoding="utf-8")
    with_card = ModelRecord(ICH, "haemorrhage", "CC0", Origin.SHIPPED, str(tmp_path), (), HEAD_CT)
    services.models.register([with_card], Decision("ann", services.clock.now(), ""))
    operator = with_role(services, Role.OPERATOR)

    (model,) = client.get("/api/v1/models", headers=operator).json()["models"]
    card = client.get(f"/api/v1/models/{model['id']}/card", headers=operator)

    assert (model["name"], model["version"], model["state"], model["modalities"]) == (
        "ich-ct",
        "1.0.0",
        "active",
        ["CT"],
    )
    of_finding = client.get(f"/api/v1/cards/{ICH.digest}", headers=with_role(services, Role.READER))
    assert (of_finding.text, client.get(f"/api/v1/cards/{'0' * 64}").status_code) == (card.text, 401)
    assert (card.text, card.headers["content-type"]) == ("# Card <script>", "text/plain; charset=utf-8")
    Path(tmp_path / "docs" / "README.md").unlink()
    assert client.get(f"/api/v1/models/{model['id']}/card", headers=operator).status_code == 404


def test_views_belong_to_the_account_and_hold_filters_alone(client, services):
    ensure_admin(services.accounts, PASSWORD, services.clock)
    log_in(client, services, "bob")
    critical_ct = {"band": "CRITICAL", "modality": "CT"}

    assert client.put("/api/v1/views/ER at night", json=critical_ct).status_code == 204
    assert client.put("/api/v1/views/ER at night", json={**critical_ct, "reading": "all"}).status_code == 204
    for wrong in ({"q": "Doe"}, {"band": "NONE"}, {"site": "a\x00b"}):
        assert client.put("/api/v1/views/other", json=wrong).status_code == 422
    (kept,) = client.get("/api/v1/views").json()["views"].items()

    assert kept[0] == "ER at night"
    assert {name: value for name, value in kept[1].items() if value} == {**critical_ct, "reading": "all"}
    log_in(client, services, "eve")
    assert client.get("/api/v1/views").json() == {"views": {}}
    client.delete("/api/v1/views/ER at night").raise_for_status()
    assert set(services.views.of("bob")) == {"ER at night"}
    services.accounts.remove_account("bob")
    assert services.views.of("bob") == {}


def test_an_api_token_keeps_no_views_and_nobody_keeps_a_hundred_and_one(client, services):
    refused = client.put("/api/v1/views/mine", json={}, headers=with_role(services, Role.READER))
    assert (refused.status_code, "API token" in refused.json()["detail"]) == (409, True)

    log_in(client, services, "bob")
    for number in range(100):
        services.views.keep("bob", f"view {number}", {})
    full = client.put("/api/v1/views/one more", json={})
    assert (full.status_code, "at most 100" in full.json()["detail"]) == (409, True)
    assert client.put("/api/v1/views/view 7", json={"band": "URGENT"}).status_code == 204
