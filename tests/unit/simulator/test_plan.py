"""Studies arrive as a Poisson process, and a plan that nobody can carry out is refused in words."""

from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest

from dicom_gateway.simulator.modality import SimulationPlan, arrivals_s, simulated_studies
from dicom_gateway.simulator.orders import draw_order
from dicom_gateway.simulator.sending import Address, address_from
from triage.errors import InvalidSetting

PLAN = SimulationPlan(("us",), studies=2, positive_rate=0.5, seed=1, mean_seconds_between=6.0)


def test_gaps_between_arrivals_are_exponential_with_the_mean_asked_for() -> None:
    times = [0.0, *islice(arrivals_s(PLAN), 4000)]

    gaps = [after - before for before, after in pairwise(times)]
    # Mean and standard deviation of an exponential are the same; that of the mean of 4000 is 6/sqrt(4000) = 0.095.
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(6.0, abs=3 * 0.095)
    assert spread == pytest.approx(6.0, abs=0.5)
    # One gap in e is longer than the mean: 1/e = 0.368.
    assert sum(gap > 6.0 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.025)


def test_without_a_mean_studies_come_back_to_back() -> None:
    assert list(islice(arrivals_s(replace(PLAN, mean_seconds_between=0.0)), 3)) == [0.0, 0.0, 0.0]


def test_a_longer_plan_begins_with_the_studies_of_a_shorter_one() -> None:
    two = [study.study_instance_uid for study in simulated_studies(PLAN)]
    three = [study.study_instance_uid for study in simulated_studies(replace(PLAN, studies=3))]

    assert three[:2] == two


def test_study_times_follow_the_arrivals() -> None:
    first, second = simulated_studies(PLAN)

    due_s = list(islice(arrivals_s(PLAN), 2))
    assert (first.due_s, second.due_s) == tuple(due_s)
    assert first.images[0].StudyTime == f"0800{int(due_s[0]):02d}"


def test_plans_that_write_other_times_share_no_uid() -> None:
    back_to_back = list(simulated_studies(replace(PLAN, mean_seconds_between=0.0)))
    spread = list(simulated_studies(PLAN))

    assert [study.images[0].StudyTime for study in back_to_back] != [study.images[0].StudyTime for study in spread]
    uids = {image.SOPInstanceUID for study in back_to_back for image in study.images}
    assert uids.isdisjoint(image.SOPInstanceUID for study in spread for image in study.images)


def test_patients_of_breast_ultrasound_are_women() -> None:
    """The models for breast ultrasound are not for men: a simulated man would show them where they do not belong."""
    drawn = simulated_studies(replace(PLAN, studies=8))

    assert {study.images[0].PatientSex for study in drawn} == {"F"}


def test_orders_are_sometimes_urgent_and_patients_are_adults() -> None:
    rng = np.random.default_rng(1)
    orders = [draw_order(rng, ("k", str(number)), PLAN.started) for number in range(1000)]

    # 8 % STAT and 10 % HIGH of 1000, give or take three standard deviations of at most 9.5.
    assert sum(order.priority == "STAT" for order in orders) == pytest.approx(80, abs=28)
    assert sum(order.priority == "HIGH" for order in orders) == pytest.approx(100, abs=28)
    assert all(18 <= order.age_years <= 93 for order in orders)
    assert all(order.patient_name.startswith("SIMULATED^") for order in orders)
    assert len({order.study_instance_uid for order in orders}) == 1000


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"scanners": ("pet",)}, "scanners: pet"),
        ({"scanners": ()}, "scanners: none"),
        ({"studies": 0}, "studies: 0"),
        ({"positive_rate": 1.1}, "positive rate: 1.1"),
        ({"positive_rate": float("nan")}, "positive rate: nan"),
        ({"seed": -1}, "seed: -1"),
        ({"mean_seconds_between": -0.5}, "mean seconds between studies: -0.5"),
    ],
)
def test_a_plan_that_nobody_can_carry_out_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidSetting, match=said):
        replace(PLAN, **wrong).check()  # type: ignore[arg-type]


def test_an_address_is_read() -> None:
    assert address_from("ACUITY@10.0.0.7:11112") == Address("ACUITY", "10.0.0.7", 11112)
    assert address_from("ACUITY@[::1]:104") == Address("ACUITY", "::1", 104)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ACUITY",
        "ACUITY@host",
        "ACUITY@host:",
        "ACUITY@:104",
        "@host:104",
        "A@h:0",
        "A@h:65536",
        "A@h:x",
        "A@h:-1",
        "SEVENTEEN_LETTERS@h:104",
        "A\\B@h:104",
        " @h:104",
        "Ä@h:104",
    ],
)
def test_a_malformed_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidSetting, match="AE@HOST:PORT is needed"):
        address_from(text)
