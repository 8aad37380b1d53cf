"""Which signal says that a study is complete: several may, and the study shows the one that was first."""

from enum import StrEnum


class CompletionSignal(StrEnum):
    """What completed a study."""

    MPPS = "mpps"
    STORAGE_COMMITMENT = "storage_commitment"
    C_FIND = "c_find"
    NEEDED_SERIES = "needed_series"
    QUIET_PERIOD = "quiet_period"
    LEARNED_QUIET_PERIOD = "learned_quiet_period"
