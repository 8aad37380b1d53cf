"""Which live studies a person should look at to learn most; the same studies each time."""

import hashlib
from collections.abc import Sequence
from itertools import zip_longest

from scipy import special

from validation.feedback.truth import LiveCase

DIFFER = "people differ: readers among themselves, or a reader and the final report"
DISCORDANT = "a person and the model differ"
UNCERTAIN = "nobody has looked, and the probability lies near the threshold"
RANDOM = "nobody has looked, and the model raised no flag: drawn at random, to find what is missed"


def worth_a_look(cases: Sequence[LiveCase], count: int) -> list[tuple[LiveCase, str]]:
    """Return at most `count` studies, each once, with the reason.

    In turn: what people differ on, what the model got most wrong, the nearest to the threshold, and studies without a
    flag in the order of the SHA-256 of their UID. That order has nothing to do with what they show; looked at in it
    these are a random sample, and the only way to see what is missed without a bias by who clicks.
    """
    unseen = [one for one in cases if one.truth is None and not one.readers]
    wrong = [one for one in cases if one.truth is not None and one.truth != one.flagged]
    ranked = (
        [(one, DIFFER) for one in sorted(filter(_people_differ, cases), key=_uid)],
        [(one, DISCORDANT) for one in sorted(wrong, key=lambda one: (-_distance(one), one.study))],
        [(one, UNCERTAIN) for one in sorted(unseen, key=lambda one: (_distance(one), one.study))],
        [(one, RANDOM) for one in sorted((one for one in unseen if not one.flagged), key=_drawn)],
    )
    chosen: dict[str, tuple[LiveCase, str]] = {}
    for turn in zip_longest(*ranked):
        for one in turn:
            if one is not None:
                chosen.setdefault(one[0].study, one)
    return list(chosen.values())[: max(0, count)]


def _people_differ(case: LiveCase) -> bool:
    return case.readers_differ or (case.report is not None and any(one != case.report for one in case.readers))


def _distance(case: LiveCase) -> float:
    """Return how far the probability lies from the threshold on the logit scale."""
    probability = min(max(case.probability, 1e-9), 1 - 1e-9)
    threshold = min(max(case.threshold, 1e-9), 1 - 1e-9)
    return abs(float(special.logit(probability) - special.logit(threshold)))


def _uid(case: LiveCase) -> str:
    return case.study


def _drawn(case: LiveCase) -> str:
    return hashlib.sha256(case.study.encode()).hexdigest()
