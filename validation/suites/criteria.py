"""Whether a suite's criteria are met: a figure by its dotted path, and its limits."""

from collections.abc import Mapping, Sequence

from validation.result_document import Json
from validation.suites.suite_file import Criterion


def judged(criteria: Sequence[Criterion], parts: Mapping[str, Mapping[str, Json]]) -> list[dict[str, Json]]:
    """Return each criterion with the value found; one whose figure could not be measured is not met."""
    return [_judged(one, parts[one.part]) for one in criteria]


def _judged(one: Criterion, part: Mapping[str, Json]) -> dict[str, Json]:
    value = _figure(dict(part), one.figure)
    met = (
        value is not None
        and (one.at_least is None or value >= one.at_least)
        and (one.at_most is None or value <= one.at_most)
    )
    return {
        "part": one.part,
        "figure": one.figure,
        "at_least": one.at_least,
        "at_most": one.at_most,
        "value": value,
        "met": met,
    }


def _figure(document: Json, path: str) -> float | None:
    """Return the number at `path`: keys, and places in lists from 0, with dots between them; None where none is."""
    found = document
    for key in path.split("."):
        if isinstance(found, dict):
            found = found.get(key)
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
