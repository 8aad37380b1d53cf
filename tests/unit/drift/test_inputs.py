"""What differs between two windows is named, with the studies that show it, and nothing is named where nothing does."""

from datetime import UTC, date, timedelta
from pathlib import Path

import pytest

from triage.errors import InvalidDataset
from validation.drift.inputs import difference
from validation.drift.rehearsal import draw_records
from validation.drift.scenario import read_scenario

CHANGED = date(2026, 7, 6)
LAST = CHANGED + timedelta(days=27)


def records_of(name, scanner):
    scenario = read_scenario(Path(name)).model_copy(update={"days": 220, "seed": 7})
    alone = tuple(one for one in scenario.scanners if one.ae_title == scanner)
    return list(draw_records(scenario.model_copy(update={"scanners": alone})))


@pytest.mark.parametrize(
    ("name", "scanner", "stream", "before", "after"),
    [("kernel", "CT2", "kernel", "STANDARD", "BONEPLUS"), ("vendor", "CT1", "device", "Alpha Harrier 64",
      "Delta Kestrel 256")],
)  # fmt: skip
def test_the_stream_that_changed_is_named_first(name, scanner, stream, before, after):
    found = difference(records_of(name, scanner), CHANGED, LAST, UTC)

    first = {one.stream: one for one in found.streams if one.p < 0.01}
    assert found.joint.p == pytest.approx(1 / 500)  # none of 499 permutations is as far apart
    assert (first[stream].before, first[stream].after) == (before, after)
    assert first[stream].share_of_distance == max(one.share_of_distance or 0 for one in found.streams)


def test_numbers_are_compared_too_and_the_strangest_studies_are_of_the_later_window():
    records = records_of("dose", "CT_ER")

    found = difference(records, CHANGED, LAST, UTC)

    exposure = next(one for one in found.streams if one.stream == "exposure_mas")
    assert exposure.after / exposure.before == pytest.approx(0.75, abs=0.03)
    assert exposure.p < 0.05
    later = {one.study_instance_uid for one in records if one.received_at.date() >= CHANGED}
    assert (len(found.studies), set(found.studies) <= later) == (10, True)


def test_quiet_windows_are_told_apart_no_more_often_than_the_level():
    quiet, changed = (
        records_of("quiet", "CT2"),
        [date(2026, 2, 1) + timedelta(days=15 * number) for number in range(10)],
    )

    p_values = [difference(quiet, day, day + timedelta(days=27), UTC).joint.p for day in changed]

    assert sum(p <= 0.05 for p in p_values) <= 3  # of ten independent ones, more than 3 in 1 of 1,000


def test_a_window_without_studies_is_refused():
    with pytest.raises(InvalidDataset, match="window after 2026-08-09"):
        difference(records_of("kernel", "CT2"), date(2026, 8, 9), LAST, UTC)
