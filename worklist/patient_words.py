"""A patient's name, age and sex in words that fit a row."""

from datetime import date, datetime

_AGE_UNITS = {"D": "d", "W": "wk", "M": "mo", "Y": "y"}
_SEXES = {"F": "female", "M": "male", "O": "other"}


def person_name(value: str) -> str:
    """Return a DICOM person name as "FAMILY, Given Middle", with the ideographic form behind it where there is one.

    Source: PS3.5 6.2.1.1 (component groups are separated by "=", components by "^").
    """
    alphabetic, _, rest = value.partition("=")
    ideographic = rest.split("=")[0]
    written, native = _group(alphabetic), " ".join(part for part in ideographic.split("^") if part.strip()).strip()
    return f"{written} ({native})" if written and native else written or native


def age_words(age: str, birth_date: str, on: datetime) -> str:
    """Return the age for the row, such as "45 y" or "3 mo"; empty when neither age nor birth date is known.

    Args:
        age: Patient's Age (0010,1010), an age string such as "045Y"; preferred, as the scanner wrote it.
        birth_date: Patient's Birth Date (0010,0030), YYYYMMDD.
        on: the day for which the age is worked out from the birth date.
    """
    number, unit = age[:-1].strip(), age[-1:].upper()
    if number.isdecimal() and unit in _AGE_UNITS:
        return f"{int(number)} {_AGE_UNITS[unit]}"
    born = _date(birth_date)
    if born is None or born > on.date():
        return ""
    return _since(born, on.date())


def sex_word(value: str) -> str:
    """Return the sex in a word, as written where it is none of DICOM's three letters."""
    return _SEXES.get(value.strip().upper(), value.strip())


def _group(group: str) -> str:
    family, *others = (part.strip() for part in group.split("^"))
    given = " ".join(part for part in others[:2] if part)
    return ", ".join(part for part in (family, given) if part)


def _date(value: str) -> date | None:
    try:
        return datetime.strptime(value.strip(), "%Y%m%d").date()  # noqa: DTZ007 (a birth date has no time zone)
    except ValueError:
        return None


def _since(born: date, today: date) -> str:
    months = (today.year - born.year) * 12 + today.month - born.month - (today.day < born.day)
    if months >= 24:
        return f"{months // 12} y"
    return f"{months} mo" if months else f"{(today - born).days} d"
