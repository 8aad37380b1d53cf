"""An account that is for some sites sees no study of another one, unless it opens one in an emergency."""

import re
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from deploy import web
from deploy.settings import Settings, SettingsFile
from storage.accounts import AccountRows
from tests.browser.department import HAEMORRHAGE, ICH, PASSWORD, Department, Said, services_on
from tests.browser.serving import running
from tests.integration.test_worklist_api import CT, JANE, QUICK, api_routes, with_role
from worklist.app import create_app
from worklist.auth import Passwords
from worklist.roles import Role

GLASS = "/api/v1/break-glass"
NORTH = replace(JANE, institution_name="North", accession_number="N-1")
SOUTH = replace(JANE, institution_name="South", accession_number="S-1", patient_name="Roe^Sam")
WHY = {"cause": "emergency", "note": "trauma, called by phone"}


@pytest.fixture
def services(engine):
    return services_on(engine)


@pytest.fixture
def studies(engine):
    """A study of each site, flagged: North's and South's."""
    department = Department(engine)
    uids = [department.receives(one, CT, minutes_ago=5) for one in (NORTH, SOUTH)]
    for uid in uids:
        department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))
    return uids


def reading(app, services, role=Role.READER):
    """Return a context with a client that is logged in as somebody of North alone."""
    accounts = services.accounts
    accounts.create_account("ann", Passwords().hash(PASSWORD), role.value, services.clock.now())
    accounts.set_sites("ann", ["North"])
    return running(app)


@contextmanager
def log_in(url):
    with httpx.Client(base_url=url, headers={"Origin": url}) as client:
        client.post("/api/v1/session", json={"name": "ann", "password": PASSWORD}).raise_for_status()
        yield client


@pytest.fixture
def app(services):
    return create_app(services, replace(QUICK, break_glass_lasts=timedelta(hours=2)))


@pytest.fixture
def ann(app, services):
    with reading(app, services) as url, log_in(url) as client:
        yield client


def listed(client):
    return {row["study_instance_uid"] for row in client.get("/api/v1/worklist?reading=all").json()["rows"]}


def test_the_list_has_the_studies_of_the_account_s_sites_alone(ann, studies, services):
    assert listed(ann) == {studies[0]}
    assert ann.post("/api/v1/worklist/search", json={"q": "Roe"}).json()["total"] == 0
    assert ann.get("/api/v1/worklist?site=South").json()["total"] == 0
    assert ann.get("/api/v1/session").json()["sites"] == ["North"]
    everywhere = ann.get("/api/v1/worklist", headers=with_role(services, Role.READER)).json()
    assert everywhere["total"] == 2


@pytest.mark.parametrize("role", [Role.ADMIN, Role.READER])
def test_every_route_about_a_study_refuses_those_of_another_site(app, services, studies, role):
    with reading(app, services, role) as url, log_in(url) as client:
        asked = [
            (method, re.sub(r"\{sop_[a-z_]+\}|\{number\}", "1", route.path.replace("{study_instance_uid}", studies[1])))
            for route in api_routes(app)
            for method in route.methods
            if "{study_instance_uid}" in route.path
        ]
        answers = {
            (method, path): client.request(method, path, json=None if method == "GET" else {}) for method, path in asked
        }

    assert len(answers) == 14
    assert {answer.status_code for answer in answers.values()} == {403}
    said = {asked: answer.json()["detail"] for asked, answer in answers.items()}
    rules = said.pop(("GET", f"/api/v1/studies/{studies[1]}/rules"))
    assert set(said.values()) == {"the study is of another site"}
    assert rules == ("role reader may not see_operations" if role is Role.READER else "the study is of another site")


def test_a_refusal_is_noted_with_the_study_and_an_unknown_one_is_not_found(ann, studies, services):
    assert ann.get(f"/api/v1/studies/{studies[1]}").status_code == 403
    (event,) = services.audit.newest(1)
    assert (event.event.action.value, event.event.study_instance_uid) == ("access_refused", studies[1])

    assert ann.get("/api/v1/studies/1.2.3").status_code == 404
    assert ann.get(f"/api/v1/studies/{studies[0]}").status_code == 200


@pytest.mark.parametrize("asked", ["uid", "accession"])
def test_a_study_of_another_site_is_opened_in_an_emergency_for_a_time(asked, ann, studies, services, engine):
    south = studies[1]

    opened = ann.post(GLASS, json={"asked": south if asked == "uid" else "S-1", **WHY}).json()

    assert opened["study_instance_uid"] == south
    assert ann.get(f"/api/v1/studies/{south}").json()["accession"] == "S-1"
    assert ann.post(f"/api/v1/studies/{south}/claim").status_code == 200
    assert listed(ann) == set(studies)
    (event,) = [one.event for one in services.audit.newest(9) if one.event.action.value == "glass_broken"]
    assert (event.actor.name, event.study_instance_uid) == ("ann", south)
    assert event.details == {"opening": "1", "cause": "emergency", "until": opened["expires_at"].replace("Z", "+00:00")}
    told = ann.get(GLASS, headers=with_role(services, Role.AUDITOR)).json()
    assert [(one["account"], one["note"]) for one in told] == [("ann", WHY["note"])]
    with engine.begin() as connection:
        connection.execute(text("UPDATE broken_glass SET expires_at = now()"))
    assert ann.get(f"/api/v1/studies/{south}").status_code == 403
    assert listed(ann) == {studies[0]}


def test_what_one_opens_is_open_to_nobody_else(ann, app, studies, services):
    ann.post(GLASS, json={"asked": "S-1", **WHY}).raise_for_status()

    assert services.site_rights.may_open("ann", ["North"], studies[1])
    assert not services.site_rights.may_open("bob", ["North"], studies[1])


def test_without_a_reason_and_without_such_a_study_nothing_is_opened(ann, studies, engine):
    with engine.begin() as connection:
        connection.execute(text('UPDATE studies SET header = header || \'{"accession_number": "S-2"}\''))

    assert ann.post(GLASS, json={"asked": "S-1"}).status_code == 422
    assert ann.post(GLASS, json={"asked": "S-1", "cause": "other", "note": " "}).status_code == 422
    assert ann.post(GLASS, json={"asked": "nothing", **WHY}).status_code == 404
    assert "a Study Instance UID is needed" in ann.post(GLASS, json={"asked": "S-2", **WHY}).json()["detail"]


def test_nobody_opens_anything_unless_the_settings_allow_it(services, studies):
    with reading(create_app(services, QUICK), services) as url, log_in(url) as ann:
        refused = ann.post(GLASS, json={"asked": "S-1", **WHY})
        assert refused.status_code == 403
        assert ann.get("/api/v1/session").json()["may_break_glass"] is False

    (event,) = services.audit.newest(1)
    assert (event.event.action.value, event.event.details) == ("access_refused", {"asked": "break_glass"})


def test_sites_that_change_hold_from_the_next_request_on(ann, studies, engine):
    AccountRows(engine).set_sites("ann", ["South"])
    assert listed(ann) == {studies[1]}

    AccountRows(engine).set_sites("ann", None)
    assert listed(ann) == set(studies)


def test_dicomweb_is_for_accounts_of_every_site(tmp_path, engine, services, studies):
    settings = Settings(tmp_path, SettingsFile())
    app = create_app(web.services_on(engine, settings), web.web_settings(settings))

    with reading(app, services) as url, log_in(url) as ann:
        assert {ann.get(f"/dicom-web/studies{path}").status_code for path in ("", f"/{studies[0]}")} == {403}
