"""Waits with and without an AI that flags: published values, identities, and simulation against formula."""

import json
from dataclasses import replace

import numpy as np
import pytest

from deploy.cli import main
from triage.errors import InvalidDesign
from validation.queueing.comparison import Targets, compare_by_simulation, compare_exactly
from validation.queueing.exact import erlang_c
from validation.queueing.simulation import Studies, waits
from validation.queueing.workload import Discipline, Workload

QUCAD_A = Workload(0.8, 0.1, 0.9, 0.9, 1, 10.0, 10.0)
QUCAD_B = Workload(0.8, 0.1, 0.9, 0.9, 2, 10.0, 10.0, interrupting=0.1, minutes_interrupting=5.0)
UNEQUAL = Workload(0.7, 0.2, 0.8, 0.9, 1, 15.0, 8.0, interrupting=0.1, minutes_interrupting=5.0)


def test_the_published_pre_emptive_waits_of_one_reader():
    # FDA's QuCAD, in minutes.
    found = compare_exactly(QUCAD_A, Discipline.PREEMPTIVE).minutes

    assert found["without_ai"] == pytest.approx(40.0, abs=5e-4)
    assert found["flagged"] == pytest.approx(1.6822, abs=5e-5)
    assert found["unflagged"] == pytest.approx(48.4112, abs=5e-5)
    assert found["positive_with_ai"] == pytest.approx(6.355, abs=5e-4)
    assert found["saving_positive"] == pytest.approx(-33.645, abs=5e-4)


def test_a_reader_who_finishes_what_was_begun_saves_less():
    assert compare_exactly(QUCAD_A, Discipline.NON_PREEMPTIVE).minutes["saving_positive"] == pytest.approx(
        -26.916, abs=5e-4
    )


@pytest.mark.timeout(600)
def test_the_published_waits_of_two_readers_with_interruptions_come_out_of_the_simulation():
    found = compare_by_simulation(QUCAD_B, Discipline.PREEMPTIVE, Targets(), seed=1)

    for name, published in (("without_ai", 18.286), ("positive_with_ai", 2.567), ("saving_positive", -15.719)):
        low, high = found.intervals[name]
        # Twice the half-width: an interval of 95 % misses once in twenty.
        assert found.minutes[name] == pytest.approx(published, abs=high - low)
        assert high - low < 0.25 * abs(published)


@pytest.mark.parametrize("discipline", [Discipline.PREEMPTIVE, Discipline.NON_PREEMPTIVE, Discipline.FIFO])
@pytest.mark.parametrize("readers", [1, 3])
def test_equal_reads_keep_the_mean_wait_of_all(discipline, readers):
    workload = replace(QUCAD_A, readers=readers)
    found = compare_exactly(workload, discipline).minutes

    flagged = 0.1 * 0.9 + 0.9 * 0.1
    assert flagged * found["flagged"] + (1 - flagged) * found["unflagged"] == pytest.approx(found["without_ai"])
    assert 0.1 * found["positive_with_ai"] + 0.9 * found["negative_with_ai"] == pytest.approx(found["without_ai"])


@pytest.mark.parametrize("discipline", [Discipline.PREEMPTIVE, Discipline.NON_PREEMPTIVE])
def test_an_ai_that_guesses_saves_nothing(discipline):
    workload = replace(QUCAD_A, sensitivity=0.3, specificity=0.7)

    assert compare_exactly(workload, discipline).minutes["saving_positive"] == pytest.approx(0)


def test_several_readers_of_equal_reads_are_one_reader_s_formula_with_one_reader():
    # One reader is busy with probability rho.
    assert erlang_c(1, 0.8) == pytest.approx(0.8)
    # Erlang C for two readers: 2 rho^2 / (1 + rho) with rho = 0.8.
    assert erlang_c(2, 1.6) == pytest.approx(1.28 / 1.8)
    assert compare_exactly(replace(QUCAD_A, readers=2), Discipline.FIFO).minutes["without_ai"] == pytest.approx(
        1.28 / 1.8 * 10 / 2 / 0.2
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("workload", "discipline"),
    [(UNEQUAL, Discipline.PREEMPTIVE), (UNEQUAL, Discipline.NON_PREEMPTIVE),
     (replace(QUCAD_A, readers=3, traffic=0.7), Discipline.PREEMPTIVE), (UNEQUAL, Discipline.FIFO)],
)  # fmt: skip
def test_the_simulation_agrees_with_the_formula(workload, discipline):
    exact = compare_exactly(workload, discipline).minutes
    found = compare_by_simulation(workload, discipline, Targets(), seed=3, replications=12)

    for name, value in exact.items():
        if value is None:
            assert found.minutes[name] is None
            continue
        low, high = found.intervals[name]
        assert found.minutes[name] == pytest.approx(value, abs=(high - low) + 1e-9)


def drawn(arrival, reading):
    count = len(arrival)
    return Studies(np.array(arrival), np.array(reading), np.zeros(count, np.int64), np.zeros(count, np.bool_))


def test_the_order_of_reading_is_the_hand_calculation():
    # One reader. At 0 a long unflagged one of 10; at 1 an unflagged one of 5; at 2 a flagged one of 4.
    studies, classes = drawn([0.0, 1.0, 2.0], [10.0, 5.0, 4.0]), [2.0, 2.0, 1.0]

    assert waits(studies, 1, classes, Discipline.FIFO).tolist() == [0, 9, 13]
    assert waits(studies, 1, classes, Discipline.NON_PREEMPTIVE).tolist() == [0, 13, 8]
    # The flagged one is read from 2 to 6; the first goes on to 14, the second waits until then.
    assert waits(studies, 1, classes, Discipline.PREEMPTIVE).tolist() == [4, 13, 0]
    # Targets 5, 30, 10: deadlines 5, 31, 12.
    assert waits(studies, 1, [5.0, 30.0, 10.0], Discipline.EDF).tolist() == [0, 13, 8]
    assert waits(studies, 1, [5.0, 10.0, 30.0], Discipline.EDF).tolist() == [0, 9, 13]
    assert waits(studies, 3, classes, Discipline.NON_PREEMPTIVE).tolist() == [0, 0, 0]


def test_of_two_readers_the_one_with_the_latest_of_the_lowest_class_makes_way():
    # Readers take 0 and 1 (class 2 both); at 2 a flagged one of 4 interrupts the one that came at 1, until 6.
    studies = drawn([0.0, 1.0, 2.0], [10.0, 10.0, 4.0])

    assert waits(studies, 2, [2.0, 2.0, 1.0], Discipline.PREEMPTIVE).tolist() == [0, 4, 0]


def test_deadlines_lie_between_no_order_and_classes():
    workload = replace(QUCAD_A, traffic=0.7)
    targets = Targets(flagged=10, unflagged=30)
    edf, classes = (
        compare_by_simulation(workload, discipline, targets, seed=2, replications=3).minutes
        for discipline in (Discipline.EDF, Discipline.NON_PREEMPTIVE)
    )

    assert classes["saving_positive"] < edf["saving_positive"] < 0
    assert edf["unflagged"] > edf["without_ai"]


def command(*words):
    known = ("--traffic", "0.8", "--prevalence", "0.1", "--sensitivity", "0.9", "--specificity", "0.9")
    return main(["queue", "wait", *known, *words, "--json"])


def test_the_command_takes_the_formula_where_there_is_one(capsys):
    assert command("--discipline", "preemptive") == 0

    found = json.loads(capsys.readouterr().out)
    assert (found["method"], found["ci95"]) == ("exact", None)
    assert found["saving_positive"] == pytest.approx(-33.645, abs=5e-4)


def test_the_same_seed_gives_the_same_answer(capsys):
    words = ("--method", "simulate", "--seed", "7", "--replications", "2")

    assert (command(*words), command(*words)) == (0, 0)
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert json.loads(first)["ci95"]["flagged"][0] < json.loads(first)["flagged"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--readers", "2", "--interrupting", "0.1", "--method", "exact"), "needed --method simulate"),
        (("--discipline", "edf", "--method", "exact"), "needed --method simulate"),
        (("--traffic", "1"), "the queue grows without end"),
        (("--traffic", "0"), "needed more than 0"),
        (("--readers", "0"), "needed 1 or more"),
        (("--sensitivity", "1.1"), "needed 0 to 1"),
        (("--interrupting", "1"), "less than 1"),
        (("--minutes-positive", "0"), "needed more than 0"),
        (("--method", "simulate", "--replications", "1"), "needed 2 or more"),
    ],
)
def test_wrong_input_is_refused_in_one_line(capsys, words, told):
    code = command(*words)

    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (2, "", 1)
    assert told in said.err


def test_groups_that_nobody_is_in_have_no_wait():
    found = compare_exactly(replace(QUCAD_A, prevalence=0.0, specificity=1.0), Discipline.PREEMPTIVE).minutes

    assert (found["positive_with_ai"], found["flagged"], found["saving_positive"]) == (None, None, None)
    assert found["unflagged"] == pytest.approx(40)


def test_a_queue_that_grows_without_end_is_refused():
    with pytest.raises(InvalidDesign, match="without end"):
        replace(QUCAD_A, traffic=1.2)
