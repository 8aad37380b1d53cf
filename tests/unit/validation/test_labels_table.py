"""Tables as other programs write them, and how each mistake in one is named."""

from pathlib import Path

import pytest

from triage.errors import InvalidDataset
from validation.labels_table import read_table


def table(tmp_path, text):
    path = tmp_path / "p.csv"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    ["\ufeffcase,score\na,1\n", "case,score\r\na,1\r\n", "case, score \n a ,1 \n", 'note,score,case\n"x, y",1,a\n'],
)
def test_byte_order_marks_line_ends_and_blanks_change_nothing(tmp_path, text):
    (row,) = read_table(table(tmp_path, text), ("case", "score"))

    assert (row.text("case"), row.number("score")) == ("a", 1.0)


def test_a_column_that_comes_twice_is_refused(tmp_path):
    with pytest.raises(InvalidDataset, match=r"p\.csv: column score comes 2 times, needed once"):
        read_table(table(tmp_path, "case,score,score\na,1,2\n"), ("case", "score"))


def test_a_number_is_written_with_digits_alone(tmp_path):
    (row,) = read_table(table(tmp_path, "score\n1_0\n"), ("score",))

    with pytest.raises(InvalidDataset, match="found '1_0', needed a number"):
        row.number("score")


def test_a_file_is_named_with_its_folder_where_it_has_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InvalidDataset, match=r"^p\.csv: cannot be read \(No such file or directory\), needed a CSV"):
        read_table(Path("p.csv"), ("case",))
    with pytest.raises(InvalidDataset, match=r"^study/p\.csv: cannot be read"):
        read_table(tmp_path / "study" / "p.csv", ("case",))


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1", True), ("0", False), ("1.0", True), ("0.0", False), ("True", True), ("FALSE", False), ("", None)],
)
def test_a_label_is_taken_as_other_programs_write_it(tmp_path, written, meant):
    (row,) = read_table(table(tmp_path, f"case,label\na,{written}\n"), ("label",))

    assert row.label("label") is meant


def test_a_label_that_is_none_is_named_as_it_was_found(tmp_path):
    (row,) = read_table(table(tmp_path, "label\nYes\n"), ("label",))

    with pytest.raises(InvalidDataset, match=r"p\.csv line 2: label: found 'Yes', needed 1, 0 or nothing"):
        row.label("label")
