"""Planted troubles are found, named and dated by the code that watches the live platform; quiet years stay quiet."""

from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from triage.errors import InvalidDataset
from triage.surveillance import StreamKind
from validation.drift.monitor import SILENCE, Design
from validation.drift.quiet_years import quiet_years
from validation.drift.rehearsal import draw_records, rehearse
from validation.drift.scenario import read_scenario, shipped_scenarios

TROUBLES = [name for name in shipped_scenarios() if name not in ("quiet", "small")]


@cache
def rehearsed(name):
    return rehearse(read_scenario(Path(name)), Design())


@pytest.mark.parametrize("name", TROUBLES)
def test_a_planted_trouble_is_found_named_right_and_dated_within_a_week(name):
    found = rehearsed(name)

    (finding,) = found.findings
    assert finding.is_named_right
    assert finding.trouble.scanner in ("", finding.named.key.scanner)
    assert abs(finding.error_days) <= 7
    assert found.false_alarms == ()


def test_a_quiet_department_gives_no_more_alarms_than_configured():
    quiet = read_scenario(Path("quiet")).model_copy(update={"days": 90 + 365})

    alarms = sum(len(rehearse(quiet.model_copy(update={"seed": seed}), Design()).false_alarms) for seed in (11, 12, 13))

    assert alarms <= 3  # three departments, one year each, one alarm a year; five years: docs/surveillance.md


def test_false_alarms_of_many_departments_come_as_often_as_their_design_says():
    small = read_scenario(Path("small")).model_copy(update={"days": 90 + 731})

    found = quiet_years(small, range(8), Design())

    # 2,000 years take half an hour: docs/surveillance.md. Here 16 of them, with the band that chance leaves.
    assert found.years == pytest.approx(16, abs=0.1)
    assert found.designed < 16
    low, high = stats.poisson.interval(0.998, found.designed)
    assert low <= found.alarms <= high
    assert found.alarms == sum(own for own, _ in found.streams.values())
    assert found.ratio_ci95[0] < 1 < found.ratio_ci95[1]


def test_a_silent_day_is_an_alarm_of_health_and_no_drift():
    found = rehearsed("mute")

    alarms = [alarm for one in found.statuses for alarm in one.alarms]
    assert [(one.key.scanner, one.key.stream, one.kind) for one in alarms] == [("CT1", SILENCE, StreamKind.HEALTH)]
    assert alarms[0].noticed_on - found.scenario.troubles[0].begins <= timedelta(days=1)


def test_a_change_of_prevalence_alone_is_no_alarm_of_performance():
    found = rehearsed("prevalence")

    kinds = {alarm.kind for one in found.statuses for alarm in one.alarms}
    assert kinds == {StreamKind.OUTPUT}


def test_the_same_seed_draws_the_same_studies():
    scenario = read_scenario(Path("kernel")).model_copy(update={"days": 5})

    first, second = list(draw_records(scenario)), list(draw_records(scenario))

    assert first == second
    assert len({one.study_instance_uid for one in first}) == len(first)
    assert np.mean([one.events["missed"] for one in first if "missed" in one.events]) < 0.5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("start = 2026-01-01\ndays = 30", "scanners: Field required"),
        ("start = x", "no TOML"),
        (
            "start = 2026-01-01\ndays = 30\n[[scanners]]\nae_title = 'A'\nstudies_per_day = 2\n"
            "[[troubles]]\nkind = 'mute'\nscanner = 'B'\nbegins = 2026-01-05",
            "scanner 'B' is none of A",
        ),
    ],
)
def test_a_scenario_that_is_wrong_is_refused_in_one_line(tmp_path, text, told):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(InvalidDataset, match=told) as refused:
        read_scenario(path)

    assert "\n" not in str(refused.value)


def silenced(*ends):
    """Return the alarms of the mute scenario with its whole site silent on its day; `ends`: a day more of CT1."""
    mute = read_scenario(Path("mute"))
    (of_ct1,) = mute.troubles
    troubles = (of_ct1.model_copy(update={"scanner": ""}), *(of_ct1.model_copy(update={"ends": end}) for end in ends))
    rehearsal = rehearse(mute.model_copy(update={"troubles": troubles}), Design())
    return sorted((one for of in rehearsal.statuses for one in of.alarms), key=lambda one: one.noticed_on)


def test_a_whole_site_that_is_silent_for_a_day_is_one_alarm_and_no_drift():
    alarms = silenced()

    assert [(one.key.scanner, one.key.stream, one.kind) for one in alarms] == [("", SILENCE, StreamKind.HEALTH)]
    assert (alarms[0].changed_on, alarms[0].noticed_on) == (date(2026, 7, 5), date(2026, 7, 6))


def test_a_scanner_that_stays_silent_when_the_others_come_back_is_noticed_then():
    alarms = silenced(date(2026, 7, 7))

    assert [(one.key.scanner, one.key.stream) for one in alarms] == [("", SILENCE), ("CT1", SILENCE)]
    assert alarms[1].noticed_on == date(2026, 7, 7)
