"""What the quick look asks of a model's record here: how often its flags were right at a site."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import Engine

from storage.answered_flags import answered_flags
from triage.findings import Finding
from triage.ports import Clock
from triage.site_ppv import SitePpv
from validation.feedback.site_ppv import site_ppv

WINDOW = timedelta(days=180)
COUNT_IS_KEPT = timedelta(minutes=15)
"""Half a year of flags does not change within a quarter of an hour, and is much to count for each study opened."""

_Subject = tuple[str, str, str, str]


@dataclass(slots=True)
class SitePpvs:
    """The newest counts; who asks while one is made waits for it, so that only one is made at a time."""

    engine: Engine
    clock: Clock
    _kept: dict[_Subject, tuple[datetime, SitePpv]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def of(self, finding: Finding, site: str) -> SitePpv:
        """Return how often flags of this finding, by this version of the model, were right at `site`."""
        subject = (finding.model.digest, finding.code.value, finding.code.scheme, site)
        with self._lock:
            now = self.clock.now()
            counted_at, known = self._kept.get(subject, (None, None))
            if counted_at is None or known is None or now - counted_at > COUNT_IS_KEPT:
                known = site_ppv(answered_flags(self.engine, finding, site, now - WINDOW), WINDOW.days)
                self._kept[subject] = now, known
            return known
