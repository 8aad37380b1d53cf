"""A bundle recalibrated on local studies is a sound bundle of another version."""

from math import exp, log

import pytest

from models.bundle import load_bundle
from models.installation import install_bundle
from models.recalibrated import Recalibration, write_recalibrated
from models.registry import find_bundle
from triage.errors import InvalidBundle


def probability(curve, logit: float) -> float:
    return 1 / (1 + exp(-(curve.slope * logit + curve.intercept)))


def test_the_probability_is_mapped_and_the_other_points_flag_what_they_flagged(tmp_path):
    shipped = find_bundle("ct-head-haemorrhage")

    written = write_recalibrated(shipped, Recalibration(0.8, -0.5, 0.3), tmp_path / "new.zip")
    installed = install_bundle(tmp_path / "new.zip", tmp_path / "models", lambda _: None)

    assert written.identity == installed.identity
    assert installed.identity.version.startswith(f"{shipped.identity.version}+local.")
    assert (installed.identity.name, installed.identity.digest != shipped.identity.digest) == (
        shipped.identity.name,
        True,
    )
    old, new = (one.spec.calibration.study for one in (shipped, installed))
    before = probability(old, 1.3)
    assert probability(new, 1.3) == pytest.approx(1 / (1 + exp(-(0.8 * log(before / (1 - before)) - 0.5))))
    assert installed.spec.active.threshold == 0.3
    for was, now in zip(shipped.spec.operating_points, installed.spec.operating_points, strict=True):
        if was.name != shipped.spec.active_operating_point:
            at = (log(was.threshold / (1 - was.threshold)) - old.intercept) / old.slope
            assert probability(new, at) == pytest.approx(now.threshold)
    assert "Calibrated on local studies" in (installed.folder / "docs/README.md").read_text()


def test_the_same_change_is_the_same_model_also_from_a_read_only_one(tmp_path):
    change = Recalibration(1.2, 0.1, 0.4)
    once = write_recalibrated(find_bundle("ct-head-haemorrhage"), change, tmp_path / "one.zip")
    installed = install_bundle(tmp_path / "one.zip", tmp_path / "models", lambda _: None)

    again = write_recalibrated(find_bundle("ct-head-haemorrhage"), change, tmp_path / "two.zip")
    further = write_recalibrated(load_bundle(installed.folder, "ct-head-haemorrhage"), change, tmp_path / "three.zip")

    assert again.identity == once.identity
    assert further.identity.version != once.identity.version
    assert further.identity.version.count("+local.") == 1


def test_a_slope_that_turns_the_order_round_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(InvalidBundle, match="slope"):
        write_recalibrated(find_bundle("ct-head-haemorrhage"), Recalibration(-1.0, 0.0, 0.5), tmp_path / "bad.zip")

    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path):
    with pytest.raises(InvalidBundle, match=r"^[^\n]*absent/new\.zip: No such file or directory, needed a file"):
        write_recalibrated(find_bundle("ct-head-haemorrhage"), Recalibration(1, 0, 0.5), tmp_path / "absent/new.zip")
