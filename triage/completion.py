"""Which signal says that a study is complete: several may, and the study shows the one that was first."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class CompletionSignal(StrEnum):
    """What completed a study."""

    MPPS = "mpps"
    STORAGE_COMMITMENT = "storage_commitment"
    C_FIND = "c_find"
    NEEDED_SERIES = "needed_series"
    QUIET_PERIOD = "quiet_period"
    LEARNED_QUIET_PERIOD = "learned_quiet_period"


@dataclass(frozen=True, slots=True)
class Announcement:
    """What one kind of signal says of a study.

    `is_final`: whoever announces has said that no more will come. `named` instances were announced, `missing` of them
    are not here; `unannounced` instances are here that nobody announced.
    """

    signal: CompletionSignal
    is_final: bool
    named: int
    missing: int
    unannounced: int


def announced_completion(announcements: Sequence[Announcement], is_settled: bool) -> CompletionSignal | None:
    """Return the signal by which everything that was announced is here, None where no signal says so.

    A scanner's procedure steps that have all ended name every image that was made: nothing else needs to be known. A
    step that ended without naming one, a commitment request (which may be for one image among many, and says
    nothing of the others) and a count count only when the study `is_settled`: nothing has come for the settle
    period, and every association that carried it is released.
    """
    for one in announcements:
        if not one.is_final or one.missing:
            continue
        names_everything = one.signal is CompletionSignal.MPPS and one.named > 0
        covers = one.signal is not CompletionSignal.STORAGE_COMMITMENT or not one.unannounced
        if names_everything or (is_settled and covers):
            return one.signal
    return None


def has_more_at_source(announcements: Sequence[Announcement]) -> bool:
    """Return whether the source has said that it has more instances of the study than are here."""
    return any(one.signal is CompletionSignal.C_FIND and one.missing for one in announcements)
