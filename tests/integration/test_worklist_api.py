"""The web application on a real database: who may ask, what is answered, and what never leaves."""

import json
import logging
from datetime import timedelta

import httpx
import pytest
from fastapi.routing import APIRoute

from storage.database import connect
from tests.browser.department import HAEMORRHAGE, ICH, PASSWORD, Said, services_on
from tests.browser.serving import running
from triage.findings import Code, Measurement
from triage.study import SeriesHeader, StudyHeader
from worklist.app import create_app
from worklist.auth import create_api_token, ensure_admin
from worklist.roles import Role
from worklist.settings import WebSettings

CT = SeriesHeader("", "CT", "HEAD", "AX 5mm")
JANE = StudyHeader("", patient_name="Doe^Jane", patient_id="4711", patient_age="045Y", study_description="SIMULATED CT")
QUICK = WebSettings(answer_failures_after=timedelta(0))


@pytest.fixture
def services(engine):
    return services_on(engine)


@pytest.fixture
def app(services):
    return create_app(services, QUICK)


@pytest.fixture
def anonymous(app):
    with running(app) as url, httpx.Client(base_url=url, headers={"Origin": url}) as client:
        yield client


@pytest.fixture
def client(anonymous, services):
    """A client that is logged in as admin."""
    ensure_admin(services.accounts, PASSWORD, services.clock)
    anonymous.post("/api/v1/session", json={"name": "admin", "password": PASSWORD}).raise_for_status()
    return anonymous


def with_role(services, role):
    return {"Authorization": f"Bearer {create_api_token(services.accounts, role, services.clock.now())}"}


def test_every_route_of_the_api_refuses_anonymous(app, anonymous):
    asked = [
        (method, route.path.replace("{study_instance_uid}", "1.2.3"))
        for route in api_routes(app)
        for method in route.methods
        if (method, route.path) != ("POST", "/api/v1/session") and "/session/provider" not in route.path
    ]

    answers = {
        (method, path): anonymous.request(method, path, json=None if method == "GET" else {}).status_code
        for method, path in asked
    }

    assert {route.path for route in api_routes(app)} == {path for path in app.openapi()["paths"] if "/api/" in path}
    assert anonymous.get("/api/v1/session/provider").json() == {"name": ""}
    assert anonymous.get("/api/v1/session/provider/start").status_code == 404
    assert len(answers) >= 7
    assert set(answers.values()) == {401}, answers


def test_a_wrong_token_is_refused_even_beside_a_good_cookie(client):
    answer = client.get("/api/v1/worklist", headers={"Authorization": "Bearer wrong"})

    assert answer.status_code == 401


@pytest.mark.parametrize("role", list(Role))
def test_roles_see_what_they_may(anonymous, services, role):
    headers = with_role(services, role)

    seen = {path: anonymous.get(f"/api/v1/{path}", headers=headers).status_code for path in ("worklist", "incidents")}

    assert seen == {
        "worklist": 403 if role is Role.AUDITOR else 200,
        "incidents": 403 if role is Role.VIEWER else 200,
    }


def test_a_login_gives_a_cookie_that_scripts_and_other_sites_cannot_use(anonymous, services):
    ensure_admin(services.accounts, PASSWORD, services.clock)

    answer = anonymous.post("/api/v1/session", json={"name": "admin", "password": PASSWORD})

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("acuity=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert anonymous.get("/api/v1/session").json()["name"] == "admin"


def test_behind_https_the_cookie_is_bound_to_this_host(services):
    ensure_admin(services.accounts, PASSWORD, services.clock)
    app = create_app(services, WebSettings(https=True, allowed_hosts=("acuity.example",)))
    through_proxy = {"Host": "acuity.example", "Origin": "https://acuity.example"}

    with running(app) as url, httpx.Client(base_url=url, headers=through_proxy) as client:
        answer = client.post("/api/v1/session", json={"name": "admin", "password": PASSWORD})
        cookie, _, rules = answer.headers["set-cookie"].partition(";")
        listed = client.get("/api/v1/worklist", headers={"Cookie": cookie})

    assert cookie.startswith("__Host-acuity=")
    assert "Secure" in rules
    assert answer.headers["strict-transport-security"]
    assert listed.status_code == 200


def test_logging_out_ends_the_session_on_the_server(client):
    token = client.cookies["acuity"]

    assert client.delete("/api/v1/session").status_code == 204

    assert client.get("/api/v1/worklist", headers={"Cookie": f"acuity={token}"}).status_code == 401


def test_a_failed_login_is_answered_alike_whatever_is_wrong(anonymous, services):
    ensure_admin(services.accounts, PASSWORD, services.clock)
    wrong = [{"name": "admin", "password": "x"}] * 6 + [{"name": "nobody", "password": "x"}]
    locked = {"name": "admin", "password": PASSWORD}

    answers = [anonymous.post("/api/v1/session", json=login) for login in [*wrong, locked]]

    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert not [answer for answer in answers if "set-cookie" in answer.headers]


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": ""}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_foreign_page_cannot_write(client, headers):
    assert client.delete("/api/v1/session", headers=headers).status_code == 403
    assert client.get("/api/v1/session").status_code == 200


def test_only_known_host_names_are_answered_but_for_the_probes(client):
    foreign = {"Host": "rebound.example"}

    assert client.get("/api/v1/worklist", headers=foreign).status_code == 400
    assert client.get("/", headers=foreign).status_code == 400
    assert client.get("/healthz", headers=foreign).text == "ok\n"
    assert client.get("/metrics", headers=foreign).status_code == 200


def test_every_answer_tells_the_browser_to_be_strict(client):
    for path in ("/", "/api/v1/worklist", "/api/v1/none", "/assets/app.js", "/healthz", "/openapi.json"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert "unsafe" not in policy, path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path


def test_answers_of_the_api_are_kept_nowhere(client):
    assert client.get("/api/v1/worklist").headers["cache-control"] == "no-store"
    assert client.get("/api/v1/studies/1.2.3").headers["cache-control"] == "no-store"


def test_the_list_has_all_that_a_row_shows(client, department):
    uid = department.receives(JANE, CT, images=2)
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))

    answer = client.get("/api/v1/worklist").json()

    (row,) = answer["rows"]
    assert (answer["total"], answer["next_after"]) == (1, None)
    assert answer["change_id"] > 0
    assert answer["server_time"]
    assert row["band"] == row["priority"] == "CRITICAL"
    assert row["patient"] == {"name": "Doe, Jane", "patient_id": "4711", "age": "45 y", "sex": ""}
    assert (row["instances"], row["modalities"], row["body_parts"]) == (2, ["CT"], ["HEAD"])
    assert row["simulated"]
    assert row["findings"][0]["model_version"] == "1.0.0"


def test_pages_of_the_api_follow_one_another(client, department):
    arrived = [department.receives(JANE, CT, minutes_ago=minutes) for minutes in (3, 2, 1)]

    first = client.get("/api/v1/worklist?limit=2").json()
    second = client.get(f"/api/v1/worklist?limit=2&after={first['next_after']}").json()

    assert [row["study_instance_uid"] for row in first["rows"] + second["rows"]] == arrived
    assert second["next_after"] is None


def test_a_search_needs_no_name_in_the_address(client, department):
    uid = department.receives(JANE, CT)
    department.receives(StudyHeader("", patient_name="Roe^Richard"), CT)

    rows = client.post("/api/v1/worklist/search", json={"q": "jane"}).json()["rows"]

    assert [row["study_instance_uid"] for row in rows] == [uid]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "band=STAT", "ai_state=normal", "after=1%27", "unknown=1", "limit=x"]
)
def test_what_cannot_be_wanted_is_refused(client, query):
    assert client.get(f"/api/v1/worklist?{query}").status_code == 422


def test_a_null_character_is_searched_for_without_harm(client):
    assert client.post("/api/v1/worklist/search", json={"q": "a\x00b"}).status_code == 200


def test_the_detail_of_a_study_has_findings_with_regions(client, department):
    uid = department.receives(JANE, CT, images=2)
    long_axis = Measurement(Code("103339001", "SCT", "Long Axis"), 41.3, "mm")
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91, measurements=(long_axis,)))
    department.sends(uid, {"PACS": ""})

    study = client.get(f"/api/v1/studies/{uid}").json()

    assert study["findings"][0]["regions"][0]["box"] == [212.0, 140.5, 288.0, 231.0]
    (measured,) = study["findings"][0]["measurements"]
    assert (measured["meaning"], measured["value"], measured["unit"]) == ("Long Axis", 41.3, "mm")
    assert study["series"][0]["analysed_by"] == ["ich-ct 1.0.0"]
    assert study["results"][0]["deliveries"][0]["state"] == "delivered"
    assert client.get("/api/v1/studies/1.2.3").status_code == 404


def test_a_refused_input_is_not_repeated(anonymous):
    answer = anonymous.post("/api/v1/session", json={"name": "", "password": "secret" * 300})

    assert answer.status_code == 422
    assert "secret" not in answer.text


def test_no_log_line_and_no_figure_names_a_patient(client, department, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    uid = department.receives(JANE, CT)
    department.answers(uid, Said(ICH, HAEMORRHAGE, 0.91))

    client.get("/api/v1/worklist?q=Doe")
    client.post("/api/v1/worklist/search", json={"q": "Doe"})
    client.get(f"/api/v1/studies/{uid}")
    figures = client.get("/metrics").text

    # The test's own client logs the addresses that it asks for; the server is what is tested here.
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    told = json.dumps(logged) + figures + "".join(capsys.readouterr())
    assert "acuity_studies" in figures
    assert not [word for word in ("Doe", "Jane", "4711") if word in told]


def test_without_a_database_the_process_lives_but_is_not_ready(tmp_path):
    app = create_app(services_on(connect(f"postgresql://nobody@/nothing?host={tmp_path}")), QUICK)

    with running(app) as url, httpx.Client(base_url=url) as client:
        answers = {path: client.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")}
        listed = client.get("/api/v1/worklist", headers={"Authorization": "Bearer x"})

    assert answers == {"/healthz": 200, "/readyz": 503, "/metrics": 503}
    assert (listed.status_code, str(tmp_path) in listed.text) == (503, False)


def test_with_a_database_it_is_ready(anonymous):
    assert anonymous.get("/readyz").text == "ready\n"


def test_the_page_answers_its_own_addresses_and_no_others(anonymous):
    assert "<title>Acuity</title>" in anonymous.get("/").text
    assert "<title>Acuity</title>" in anonymous.get("/some/view").text
    for path in ("/api/v1/none", "/dicom-web/none", "/none.js", "/assets/../app.py", "/assets/%2e%2e/index.html"):
        assert anonymous.get(path).status_code == 404, path
    assert anonymous.post("/").status_code == 404


def test_the_page_is_sent_again_only_when_it_changed(anonymous):
    first = anonymous.get("/assets/app.js")

    again = anonymous.get("/assets/app.js", headers={"If-None-Match": first.headers["etag"]})

    assert (first.status_code, again.status_code) == (200, 304)
    assert first.headers["content-encoding"] == "gzip"


def api_routes(app):
    """Return every route below /api/v1, also of included routers."""
    return [route for route in flattened(app.routes) if isinstance(route, APIRoute) and "/api/v1" in route.path]


def flattened(routes):
    for route in routes:
        yield route
        yield from flattened(getattr(getattr(route, "original_router", route), "routes", None) or [])
