"""Names, ages and sexes as the row shows them."""

from datetime import UTC, datetime

import pytest

from worklist.patient_words import age_words, person_name, sex_word

TODAY = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Doe^Jane", "Doe, Jane"),
        ("DOE^JANE^MARIA^DR^MD", "DOE, JANE MARIA"),
        ("Doe", "Doe"),
        ("^Jane", "Jane"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou (山田 太郎)"),
        ("=山田^太郎", "山田 太郎"),
        ("", ""),
        ("^^^^", ""),
    ],
)
def test_a_name_is_shown_family_first(written, shown):
    assert person_name(written) == shown


@pytest.mark.parametrize(
    ("age", "born", "shown"),
    [
        ("045Y", "", "45 y"),
        ("003M", "", "3 mo"),
        ("010D", "20200101", "10 d"),
        ("", "19810101", "45 y"),
        ("", "20261101", "21 d"),
        ("", "20260101", "10 mo"),
        ("", "20241123", "23 mo"),
        ("", "20241122", "2 y"),
        ("", "20301122", ""),
        ("", "not a date", ""),
        ("Y", "", ""),
        ("old", "", ""),
    ],
)
def test_an_age_is_what_the_scanner_wrote_or_follows_from_the_birth_date(age, born, shown):
    assert age_words(age, born, TODAY) == shown


def test_a_sex_is_a_word_or_stays_as_written():
    assert [sex_word(value) for value in ("F", "m", "O", "", "X")] == ["female", "male", "other", "", "X"]
