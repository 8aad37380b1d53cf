"""Tables of scored cases: what they may hold, and how each mistake is named."""

import pytest

from triage.errors import InvalidDataset
from validation.statistics.scored_cases import in_the_order_of, read_scored_cases


def table(tmp_path, text, name="p.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_cases_are_read_with_their_clusters(tmp_path):
    found = read_scored_cases(table(tmp_path, "case,truth,score,cluster\na,1,0.5,p\nb,0.0,-2e3,q\nc,True,0,p\n"))

    assert found.names == ("a", "b", "c")
    assert found.truth.tolist() == [True, False, True]
    assert found.scores.tolist() == [0.5, -2000.0, 0.0]
    assert found.groups.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "column case absent"),
        ("case,truth,score\n", "no rows"),
        ("case,truth\na,1\n", "column score absent"),
        ("case,truth,score\na,2,0.5\n", "line 2: truth: found '2', needed 0 or 1"),
        ("case,truth,score\na,,0.5\n", "line 2: truth: found '', needed 0 or 1"),
        ("case,truth,score\na,1,0.5\nb,0,nan\n", "line 3: score: found 'nan', needed a finite number"),
        ("case,truth,score\na,1,inf\n", "line 2: score: found 'inf', needed a finite number"),
        ("case,truth,score\na,1,high\n", "line 2: score: found 'high', needed a number"),
        ("case,truth,score\na,1,1\na,0,0\n", "line 3: case: found 'a' again"),
        ("case,truth,score\n,1,1\n", "line 2: case: empty"),
        ("case,truth,score\na,1\n", "line 2: another number of values, needed 3"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path, text, told):
    with pytest.raises(InvalidDataset, match=r"p\.csv") as raised:
        read_scored_cases(table(tmp_path, text))

    assert told in str(raised.value)


def test_the_second_table_is_brought_into_the_order_of_the_first(tmp_path):
    first = read_scored_cases(table(tmp_path, "case,truth,score\na,1,1\nb,0,2\n", "a.csv"))
    second = read_scored_cases(table(tmp_path, "case,truth,score\nb,0,4\na,1,3\n", "b.csv"))

    assert in_the_order_of(first, second).scores.tolist() == [3.0, 4.0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("case,truth,score\na,1,1\nc,0,2\n", "'b' is not in the second table"),
        ("case,truth,score\na,1,1\nb,0,2\nc,0,2\n", "'c' is not in the first table"),
        ("case,truth,score\na,1,1\nb,1,2\n", "case b: truth 0 in the first table and 1 in the second"),
        ("case,truth,score,cluster\na,1,1,p\nb,0,2,p\n", "cluster: not the same in both tables"),
    ],
)
def test_tables_of_different_cases_are_refused(tmp_path, text, told):
    first = read_scored_cases(table(tmp_path, "case,truth,score\na,1,1\nb,0,2\n", "a.csv"))
    second = read_scored_cases(table(tmp_path, text, "b.csv"))

    with pytest.raises(InvalidDataset) as raised:
        in_the_order_of(first, second)

    assert told in str(raised.value)
