"""Obuchowski-Rockette against the published analysis of Van Dyke's data, and against definitions written out.

Van Dyke's ratings belong to packages under another licence. What is published of their analysis (areas, covariances)
is enough to check everything after the covariances; the covariances are checked on data of our own.
"""

import numpy as np
import pytest

from tests.unit.validation.statistics.scored import scored
from triage.errors import InvalidDataset
from validation.discrimination import roc_area
from validation.statistics.comparison import paired_difference
from validation.statistics.mrmc import (
    ErrorCovariances,
    delong_covariance,
    error_covariances,
    fixed_cases,
    fixed_readers,
    jackknife_covariance,
    random_readers_random_cases,
    reader_areas,
)
from validation.statistics.mrmc_document import mrmc_document, read_ratings

VAN_DYKE = np.array([
    [0.9196457, 0.8587762, 0.9038647, 0.9731079, 0.8297907],
    [0.9478261, 0.9053140, 0.9217391, 0.9993559, 0.9299517],
])  # fmt: skip
JACKKNIFE = ErrorCovariances(0.0008022883, 0.0003466137, 0.0003440748, 0.0002390284)
"""Empirical areas and jackknife covariances, as D. Chakraborty's and B. Smith's books and manuals print them."""


def rated(seed=1, modalities=2, readers=3, cases=40, gain=0.5):
    random = np.random.default_rng(seed)
    truth = np.arange(cases) % 5 < 2
    case = random.normal(size=cases) + 1.2 * truth
    better = gain * np.arange(modalities)[:, np.newaxis, np.newaxis] * truth
    return truth, np.round(case + better + random.normal(size=(modalities, readers, cases)), 1)


def test_random_readers_and_cases_are_the_published_analysis():
    found = random_readers_random_cases(VAN_DYKE, JACKKNIFE)

    assert (found.f, found.df1, found.df2) == (pytest.approx(4.456319, rel=1e-5), 1, pytest.approx(15.25967, rel=1e-5))
    assert found.p == pytest.approx(0.05166569, rel=1e-4)
    (difference,) = found.differences
    assert difference.value == pytest.approx(-0.04380032, abs=1e-7)
    assert difference.interval == pytest.approx((-0.0879594986, 0.0003588544), abs=1e-6)
    assert difference.p == pytest.approx(found.p)


def test_fixed_readers_are_the_hand_calculation():
    # MS(T) = 0.004796171; 0.0008022883 - 0.0003466137 + 4 * (0.0003440748 - 0.0002390284) = 0.0008758602.
    found = fixed_readers(VAN_DYKE, JACKKNIFE)

    assert found.f == pytest.approx(0.004796171 / 0.0008758602, rel=1e-5)
    assert found.df2 == float("inf")
    half = 1.959964 * np.sqrt(2 / 5 * 0.0008758602)
    assert found.differences[0].interval == pytest.approx((-0.04380032 - half, -0.04380032 + half), abs=1e-6)


def test_fixed_cases_are_the_hand_calculation():
    # MS(T) over MS(T:R) = 0.0005510306 with (2 - 1)(5 - 1) degrees of freedom: the paired t test of the readers.
    found = fixed_cases(VAN_DYKE)

    differences = VAN_DYKE[0] - VAN_DYKE[1]
    t = differences.mean() / (differences.std(ddof=1) / np.sqrt(5))
    assert found.f == pytest.approx(0.004796171 / 0.0005510306, rel=1e-5)
    assert found.f == pytest.approx(t**2)
    assert found.df2 == 4


def test_a_negative_difference_of_covariances_counts_as_zero():
    errors = ErrorCovariances(0.0008, 0.0003, 0.0002, 0.0003)

    assert random_readers_random_cases(VAN_DYKE, errors).f == pytest.approx(fixed_cases(VAN_DYKE).f)
    assert random_readers_random_cases(VAN_DYKE, errors).df2 == pytest.approx(4)


def test_areas_are_those_of_each_reader():
    truth, ratings = rated()

    areas = reader_areas(truth, ratings)

    for modality, reader in np.ndindex(2, 3):
        expected = roc_area(truth.tolist(), ratings[modality, reader].tolist()).estimate.value
        assert areas[modality, reader] == pytest.approx(expected)


def test_the_jackknife_is_that_of_leaving_out_each_case():
    truth, ratings = rated()
    rows = ratings.reshape(6, -1)
    left_out = np.array([
        [roc_area(np.delete(truth, case).tolist(), np.delete(row, case).tolist()).estimate.value for case in range(40)]
        for row in rows
    ])  # fmt: skip

    expected = np.cov(left_out) * 39**2 / 40

    assert jackknife_covariance(truth, ratings) == pytest.approx(expected)


def test_one_reader_by_delong_is_the_paired_test():
    truth, ratings = rated(readers=1)
    a, b = (scored(truth, ratings[modality, 0]) for modality in range(2))

    errors = error_covariances(delong_covariance(truth, ratings), 2, 1)
    found = fixed_readers(reader_areas(truth, ratings), errors)

    expected = paired_difference(a, b)
    assert found.f == pytest.approx(expected.z**2)
    assert found.p == pytest.approx(expected.p)
    assert found.differences[0].value == pytest.approx(-expected.difference)


def test_one_reader_says_nothing_about_others():
    truth, ratings = rated(readers=1)
    areas = reader_areas(truth, ratings)
    errors = error_covariances(delong_covariance(truth, ratings), 2, 1)

    for found in (random_readers_random_cases(areas, errors), fixed_cases(areas)):
        assert (found.f, found.p, found.differences[0].interval) == (None, None, None)
        assert "one reader" in found.reason


def test_equal_modalities_have_nothing_to_test_by():
    truth, ratings = rated()
    same = np.stack([ratings[0], ratings[0]])

    found = fixed_cases(reader_areas(truth, same))

    assert (found.f, found.differences[0].value) == (None, 0.0)


def test_three_modalities_have_three_differences_and_two_degrees_of_freedom():
    truth, ratings = rated(modalities=3)
    errors = error_covariances(jackknife_covariance(truth, ratings), 3, 3)

    found = random_readers_random_cases(reader_areas(truth, ratings), errors)

    assert found.df1 == 2
    assert [(one.first, one.second) for one in found.differences] == [(0, 1), (0, 2), (1, 2)]


def test_covariances_are_means_over_pairs_of_a_kind():
    # Modality by reader, (0, 0), (0, 1), (1, 0), (1, 1); each entry tells its kind.
    matrix = np.array([[1, 3, 2, 4], [3, 1, 4, 2], [2, 4, 1, 3], [4, 2, 3, 1]], dtype=float)

    assert error_covariances(matrix, 2, 2) == ErrorCovariances(variance=1, cov1=2, cov2=3, cov3=4)


def table(tmp_path, rows):
    path = tmp_path / "r.csv"
    path.write_text("reader,modality,case,truth,rating\n" + "".join(f"{row}\n" for row in rows))
    return path


def rows_of(truth, ratings):
    return [
        f"r{reader},m{modality},c{case},{int(truth[case])},{ratings[modality, reader, case]}"
        for modality, reader, case in np.ndindex(*ratings.shape)
    ]


def test_the_order_of_rows_does_not_matter(tmp_path):
    rows = rows_of(*rated())

    document = mrmc_document(read_ratings(table(tmp_path, rows)))

    assert mrmc_document(read_ratings(table(tmp_path, rows[::-1]))) == document
    analysis = document["covariance"]["jackknife"]["random_readers_and_cases"]
    assert analysis["difference"] == pytest.approx(document["mean_auc"]["m0"] - document["mean_auc"]["m1"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows[1:], "no rating of case 'c0' by reader 'r0' in modality 'm0'"),
        (lambda rows: [*rows, rows[0]], "again"),
        (lambda rows: [rows[0].replace(",1,", ",0,"), *rows[1:]], "needed the same for case 'c0'"),
        (lambda rows: [rows[0] + "x", *rows[1:]], "needed a number"),
        (lambda rows: [row for row in rows if ",m0," in row], "found 1 modalities"),
        (lambda rows: [row for row in rows if ",0," in row or ",c0," in row], "1 positive"),
    ],
)
def test_a_design_that_is_not_crossed_is_refused(tmp_path, change, told):
    with pytest.raises(InvalidDataset) as raised:
        read_ratings(table(tmp_path, change(rows_of(*rated()))))

    assert told in str(raised.value)
