"""Streams and charts through the API: stored studies of months, looked at by the monitor itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest
from sqlalchemy import text

from deploy.settings import Settings, SettingsFile
from deploy.stream_looks import StreamLooks
from storage.alarms import AlarmRows
from tests.browser.department import Department, services_on
from tests.browser.serving import running
from tests.integration.test_drift_alarms import an_alarm
from tests.integration.test_worklist_api import CT, JANE, QUICK, with_role
from triage.surveillance import StreamKey, StreamKind
from validation.drift.charts import run_cusum
from validation.drift.designs import Cusum
from worklist.app import create_app
from worklist.roles import Role

DAYS, PER_DAY = 110, 3
MERCY = replace(JANE, institution_name="Mercy")


@pytest.fixture
def services(engine, tmp_path):
    """A department whose scanner sent three studies a day for 110 days, with a thinner slice in the last ten."""
    department = Department(engine)
    for day in range(DAYS, 0, -1):
        for place in range(PER_DAY):
            uid = department.receives(MERCY, CT, minutes_ago=day * 24 * 60 + place * 97)
            thickness = (1.0 if day <= 10 else 5.0) + 0.01 * ((7 * day + place) % 10)
            with engine.begin() as connection:
                connection.execute(
                    text(
                        "UPDATE instances SET image_header = image_header || jsonb_build_object"
                        "('slice_thickness_mm', cast(:mm AS float8)) WHERE study_instance_uid = :uid"
                    ),
                    {"mm": thickness, "uid": uid},
                )
    services = services_on(engine)
    return replace(services, streams=StreamLooks(engine, Settings(tmp_path, SettingsFile()), services.clock))


@pytest.fixture
def client(services):
    headers = with_role(services, Role.AUDITOR)
    with running(create_app(services, QUICK)) as url, httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        yield client


def test_each_stream_tells_where_it_stands_and_its_chart_is_the_cusum_of_its_days(client, services):
    told = client.get("/api/v1/surveillance/streams").json()
    (stream,) = [one for one in told["streams"] if one["stream"] == "slice_thickness_mm"]
    where = {name: stream[name] for name in ("site", "scanner", "model", "stream")}
    days = client.get("/api/v1/surveillance/chart", params=where).json()["days"]

    assert where == {"site": "Mercy", "scanner": "CT_1", "model": "", "stream": "slice_thickness_mm"}
    assert (stream["kind"], stream["baseline_days"], stream["smallest_change"] > 0) == ("input", 90, True)
    values = np.array([np.nan if one["value"] is None else one["value"] for one in days])
    run = run_cusum(Cusum(0.5, stream["limit"], 2), values, 90)
    first = run.alarm_index
    assert (first is not None, run.alarm_side) == (True, "lower")
    assert [one["lower"] for one in days[: first + 1]] == pytest.approx(run.lower[: first + 1].tolist())
    restarted = -values[first + 1] - 0.5
    assert days[first + 1]["lower"] == pytest.approx(max(0.0, restarted))  # the chart begins again at zero
    assert client.get("/api/v1/surveillance/chart?scanner=CT_9&stream=kernel").json() == {"days": []}


def test_a_look_is_kept_for_ten_minutes(engine, services, tmp_path):
    class Clock:
        at = datetime.now(UTC)

        def now(self):
            return self.at

    clock = Clock()
    looks = StreamLooks(engine, Settings(tmp_path, SettingsFile()), clock)
    first = looks.all()[0]
    clock.at += timedelta(minutes=9)
    kept = looks.all()[0]
    clock.at += timedelta(minutes=2)

    assert (kept, looks.all()[0]) == (first, clock.at)


def test_readers_are_told_of_what_concerns_reading_and_unacknowledged_comes_first(engine):
    services, rows = services_on(engine), AlarmRows(engine)
    silence = replace(an_alarm(), key=StreamKey("Mercy", "CT_1", "", "silence"), kind=StreamKind.HEALTH)
    missed = replace(an_alarm(), key=StreamKey("Mercy", "CT_1", "m 1", "missed"), kind=StreamKind.PERFORMANCE)
    _, first, second = rows.open_new([an_alarm(), silence, missed], services.clock.now())
    with running(create_app(services, QUICK)) as url, httpx.Client(base_url=url, headers={"Origin": url}) as client:
        lead, reader = with_role(services, Role.LEAD), with_role(services, Role.READER)
        client.post(f"/api/v1/alarms/{second.number}/acknowledge", json={}, headers=lead)

        told = client.get("/api/v1/alarms/concerning-reading", headers=reader).json()

    assert [(one["number"], one["stream"], one["state"]) for one in told] == [
        (first.number, "silence", "open"), (second.number, "missed", "acknowledged"),
    ]  # fmt: skip
    assert "studies" not in told[0]
