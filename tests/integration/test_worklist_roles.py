"""Every route of the API, asked as nobody and as each role: what is not granted by name is refused."""

import httpx
import pytest

from tests.browser.department import HAEMORRHAGE, ICH, Department, Said, services_on
from tests.browser.serving import running
from tests.integration.test_worklist_api import CT, JANE, QUICK, api_routes, with_role
from worklist.app import create_app
from worklist.roles import PERMISSIONS, Permission, Role

LIST, IMAGES, READS = Permission.SEE_LIST, Permission.SEE_IMAGES, Permission.READ_STUDIES
STUDY = "/api/v1/studies/{study_instance_uid}"
NEEDED = {
    ("GET", "/api/v1/session"): None,
    ("DELETE", "/api/v1/session"): None,
    ("GET", "/api/v1/worklist"): LIST,
    ("POST", "/api/v1/worklist/search"): LIST,
    ("GET", STUDY): LIST,
    ("GET", "/api/v1/events"): LIST,
    ("GET", f"{STUDY}/images"): IMAGES,
    ("GET", f"{STUDY}/key-image"): IMAGES,
    ("GET", f"{STUDY}/images/{{sop_instance_uid}}/frames/{{number}}"): IMAGES,
    ("GET", "/api/v1/incidents"): Permission.SEE_INCIDENTS,
    ("POST", "/api/v1/incidents/acts"): Permission.HANDLE_INCIDENTS,
    ("GET", "/api/v1/deliveries"): Permission.SEE_INCIDENTS,
    ("POST", "/api/v1/deliveries/replay"): Permission.HANDLE_INCIDENTS,
    ("GET", "/api/v1/audit"): Permission.SEE_AUDIT,
    ("GET", "/api/v1/break-glass"): Permission.SEE_AUDIT,
    ("POST", "/api/v1/break-glass"): READS,
    ("GET", "/api/v1/validations"): Permission.SEE_VALIDATIONS,
    ("GET", "/api/v1/validations/{kind}/{number}/report"): Permission.SEE_VALIDATIONS,
    ("GET", "/api/v1/validations/{kind}/{number}/report.pdf"): Permission.SEE_VALIDATIONS,
    **{
        ("GET", f"/api/v1/{path}"): Permission.SEE_ALARMS
        for path in ("alarms", "alarms/concerning-reading", "surveillance/streams", "surveillance/chart")
    },
    **{
        ("POST", f"/api/v1/alarms/{{number}}/{act}"): Permission.HANDLE_ALARMS
        for act in ("acknowledge", "assign", "close")
    },
    ("GET", "/api/v1/preferences"): None,
    ("PATCH", "/api/v1/preferences"): None,
    ("GET", "/api/v1/views"): LIST,
    ("PUT", "/api/v1/views/{name}"): LIST,
    ("DELETE", "/api/v1/views/{name}"): LIST,
    ("GET", "/api/v1/accounts"): Permission.MANAGE_USERS,
    ("POST", "/api/v1/accounts"): Permission.MANAGE_USERS,
    **{
        ("POST", f"/api/v1/accounts/{act}"): Permission.MANAGE_USERS
        for act in ("role", "sites", "password", "unlock", "remove")
    },
    ("GET", "/api/v1/rules"): Permission.SEE_OPERATIONS,
    ("GET", f"{STUDY}/rules"): Permission.SEE_OPERATIONS,
    ("GET", "/api/v1/gateway"): Permission.SEE_OPERATIONS,
    ("GET", "/api/v1/models"): Permission.SEE_OPERATIONS,
    ("GET", "/api/v1/models/{model_id}/card"): Permission.SEE_OPERATIONS,
    ("GET", "/api/v1/cards/{digest}"): LIST,
    **{
        ("POST", f"{STUDY}/{act}"): READS
        for act in (
            "claim", "release", "read", "reopen", "verdicts", "notes", "priority", "priority/restore", "undo"
        )
    },
}  # fmt: skip
"""What each route asks for; a route that is not here fails the test, so nobody adds one without deciding."""

OPEN = {
    ("POST", "/api/v1/session"),
    ("GET", "/api/v1/session/provider"),
    *(("GET", f"/api/v1/session/provider/{step}") for step in ("start", "callback", "logout")),
}
"""Asked by those who are about to log in, or have just logged out."""


@pytest.fixture
def services(engine):
    return services_on(engine)


@pytest.fixture
def app(services):
    return create_app(services, QUICK)


@pytest.fixture
def client(app):
    with running(app) as url, httpx.Client(base_url=url, headers={"Origin": url}) as client:
        yield client


def routes_of(app):
    return {(method, route.path) for route in api_routes(app) for method in route.methods} - OPEN


def ask(client, method, path, headers=None):
    """Return the status of one request whose body no route takes, so that nothing is changed by who may."""
    places = {"study_instance_uid": "1.2.3", "sop_instance_uid": "1.2.3.4", "number": 1, "kind": "runs", "name": "mine"}
    address = path.format(**places, model_id=0, digest="0" * 64)
    with client.stream(method, address, json=None if method == "GET" else [], headers=headers) as answer:
        return answer.status_code


def test_every_route_says_what_it_needs(app):
    assert routes_of(app) == set(NEEDED)


def test_nobody_is_let_in_anywhere(app, client):
    assert {ask(client, *route) for route in NEEDED} == {401}


@pytest.mark.parametrize("role", list(Role))
def test_each_role_is_let_in_where_it_is_granted_and_nowhere_else(client, services, role):
    headers = with_role(services, role)

    answers = {route: ask(client, *route, headers) for route in NEEDED}

    let_in = {route for route, status in answers.items() if status != 403}
    assert 401 not in answers.values()
    assert let_in == {route for route, needed in NEEDED.items() if needed is None or needed in PERMISSIONS[role]}


def test_a_refusal_is_noted_in_the_audit(client, services):
    client.get("/api/v1/audit", headers=with_role(services, Role.VIEWER))

    (event,) = services.audit.newest(1)
    assert (event.event.action.value, event.event.succeeded) == ("access_refused", False)
    assert event.event.details == {"asked": "see_audit"}


def test_what_each_role_may_do_is_what_the_documents_say():
    assert PERMISSIONS[Role.VIEWER] == {LIST, IMAGES}
    assert Permission.SEE_LIST not in PERMISSIONS[Role.AUDITOR]
    assert IMAGES not in PERMISSIONS[Role.OPERATOR]
    assert {role for role in Role if Permission.SEE_OPERATIONS in PERMISSIONS[role]} == {Role.OPERATOR, Role.ADMIN}
    assert {role for role in Role if Permission.LEAD_READING in PERMISSIONS[role]} == {Role.LEAD, Role.ADMIN}
    assert {role for role in Role if Permission.SEE_VALIDATIONS not in PERMISSIONS[role]} == {Role.VIEWER, Role.READER}
    assert {role for role in Role if Permission.SEE_AUDIT in PERMISSIONS[role]} == {Role.AUDITOR, Role.ADMIN}


def test_only_who_leads_moves_a_study_down_and_acts_over_others(client, services, engine):
    department = Department(engine)
    uid = department.receives(JANE, CT)
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))
    reader, lead = with_role(services, Role.READER), with_role(services, Role.LEAD)
    lower = {"band": "ROUTINE", "reason": "old bleed, known", "hours": 2}
    path = f"/api/v1/studies/{uid}"

    assert client.post(f"{path}/priority", json=lower, headers=reader).status_code == 403
    assert client.post(f"{path}/priority", json=lower, headers=lead).status_code == 200
    assert client.post(f"{path}/claim", headers=lead).status_code == 200
    refused = client.post(f"{path}/claim", headers=reader)
    assert (refused.status_code, "has the study until" in refused.json()["detail"]) == (409, True)
    row = client.get("/api/v1/worklist", headers=reader).json()["rows"][0]
    assert (row["band"], row["own_band"], row["work"]["override"]["reason"]) == (
        "ROUTINE",
        "CRITICAL",
        "old bleed, known",
    )


def test_a_verdict_a_note_and_undoing_through_the_api(client, services, engine):
    department = Department(engine)
    uid = department.receives(JANE, CT, minutes_ago=5)
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))
    reader, path = with_role(services, Role.READER), f"/api/v1/studies/{uid}"

    verdict = client.post(f"{path}/verdicts", json={"answer": "reject", "note": "artefact"}, headers=reader).json()
    client.post(f"{path}/notes", json={"note": "see old study"}, headers=reader)
    undone = client.post(f"{path}/undo", json={"act": verdict["number"]}, headers=reader).json()
    acts = client.get(path, headers=reader).json()["acts"]

    assert undone["undoes"] == verdict["number"]
    assert [(act["kind"], act["stands"], act["answer"]) for act in acts] == [
        ("undo", False, None), ("note", True, None), ("verdict", False, "reject"),
    ]  # fmt: skip
    assert client.post(f"{path}/read", headers=reader).status_code == 200
    assert client.get("/api/v1/worklist", headers=reader).json()["total"] == 0
    assert client.get("/api/v1/worklist?reading=all", headers=reader).json()["total"] == 1


def test_an_incident_is_acknowledged_closed_and_reopened(client, services, engine):
    Department(engine).quarantines("no SOP Instance UID")
    operator = with_role(services, Role.OPERATOR)

    def told():
        return client.get("/api/v1/incidents", headers=operator).json()["incidents"]

    key = told()[0]["key"]
    client.post("/api/v1/incidents/acts", json={"key": key, "act": "acknowledged"}, headers=operator)
    assert told()[0]["handled"] == "acknowledged"
    client.post("/api/v1/incidents/acts", json={"key": key, "act": "closed"}, headers=operator)
    assert told() == []
    client.post("/api/v1/incidents/acts", json={"key": key, "act": "reopened"}, headers=operator)
    assert [one["handled"] for one in told()] == [""]
    unknown = client.post("/api/v1/incidents/acts", json={"key": "quarantine:99", "act": "closed"}, headers=operator)
    assert unknown.status_code == 409
