"""What the quick look asks of a model's record here: how often its flags were right at a site."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import Engine

from storage.answered_flags import answered_flags
from triage.findings import Finding
from triage.ports import Clock
from triage.site_ppv import AnsweredFlag, SitePpv
from validation.feedback.site_ppv import site_ppv

WINDOW = timedelta(days=180)
COUNT_IS_KEPT = timedelta(minutes=5)
"""Half a year of flags does not change within five minutes, and is too much to count for each study that is opened."""

_Subject = tuple[str, str, str, str]


@dataclass(slots=True)
class SitePpvs:
    """The newest count of all flags; who asks while it is made waits for it, so that only one is made at a time."""

    engine: Engine
    clock: Clock
    _kept: tuple[datetime, Mapping[_Subject, SitePpv]] | None = None
    _lock: Lock = field(default_factory=Lock)

    def of(self, finding: Finding, site: str) -> SitePpv:
        """Return how often flags of this finding, by this version of the model, were right at `site`."""
        subject = (finding.model.digest, finding.code.value, finding.code.scheme, site)
        with self._lock:
            now = self.clock.now()
            if self._kept is None or now - self._kept[0] > COUNT_IS_KEPT:
                self._kept = now, self._counted(now)
            return self._kept[1].get(subject) or site_ppv([], WINDOW.days)

    def _counted(self, now: datetime) -> Mapping[_Subject, SitePpv]:
        found: defaultdict[_Subject, list[AnsweredFlag]] = defaultdict(list)
        for one in answered_flags(self.engine, now - WINDOW):
            found[one.model_digest, one.code, one.scheme, one.site].append(one)
        return {subject: site_ppv(flags, WINDOW.days) for subject, flags in found.items()}
