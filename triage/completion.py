"""Which signal says that a study is complete: several may, and the study shows the one that was first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
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


@dataclass(frozen=True, slots=True)
class CompletionRule:
    """When a study counts as complete.

    `quiet_period`: without any signal, no instance for this long; `learned_quiet_periods` are those of the AE titles
    that enough is known of. `settle_period`: with every association released and the needed series whole, no
    instance for this long (scanners that open an association per image are quicker). `fetch_period`: a study whose
    source has more of it than is here, and is being asked for the rest, waits for it no longer than this.
    """

    quiet_period: timedelta = timedelta(seconds=5)
    settle_period: timedelta = timedelta(milliseconds=300)
    learned_quiet_periods: Mapping[str, timedelta] = field(default_factory=dict)
    fetch_period: timedelta = timedelta(seconds=60)

    @property
    def shortest_quiet_period(self) -> timedelta:
        """No silence shorter than this completes anything."""
        return min((self.quiet_period, *self.learned_quiet_periods.values()))

    def quiet_signal(self, quiet: timedelta, sources: Sequence[str]) -> CompletionSignal | None:
        """Return the signal that silence gives by now; the slowest of the sources is waited for."""
        learned = self.learned_quiet_periods
        if quiet < max((learned.get(one, self.quiet_period) for one in sources), default=self.quiet_period):
            return None
        is_learned = bool(sources) and all(one in learned for one in sources)
        return CompletionSignal.LEARNED_QUIET_PERIOD if is_learned else CompletionSignal.QUIET_PERIOD
