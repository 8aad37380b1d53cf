"""The site's own PPV: the share of a model's flags that readers confirmed."""

from collections.abc import Sequence

from triage.site_ppv import AnsweredFlag, SitePpv
from validation.intervals import clustered_proportion

FEWEST_ANSWERED = 10
"""Below ten the interval spans more than half of what is possible."""


def site_ppv(flags: Sequence[AnsweredFlag], days: int) -> SitePpv:
    """Return what readers said of `flags`, which are of one finding, one version of a model and one site.

    The interval is that of Clopper and Pearson, by the effective number of cases where patients come more than once.
    """
    said = [(one.patient, one.confirmed) for one in flags]
    answered = [(patient, confirmed) for patient, confirmed in said if confirmed is not None]
    share = clustered_proportion([confirmed for _, confirmed in answered], [patient for patient, _ in answered])
    is_enough = share.trials >= FEWEST_ANSWERED
    return SitePpv(
        days=days,
        fewest_answered=FEWEST_ANSWERED,
        flagged=len(flags),
        answered=share.trials,
        confirmed=share.successes,
        value=share.estimate.value if is_enough else None,
        interval=share.estimate.interval if is_enough else None,
    )
