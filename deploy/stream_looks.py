"""What the pages ask of the drift monitor: every stream as it stands, and the chart of one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from deploy.drift_watch import decided, look
from deploy.settings import Settings
from storage.alarms import AlarmRows
from triage.ports import Clock
from triage.surveillance import StreamKey
from validation.drift.daily import Calendar
from validation.drift.monitor import ChartDay, StreamStatus, chart_days

LOOK_IS_KEPT = timedelta(minutes=10)
"""Charts move once a day, and a look reads the whole history: see docs/decisions/0028."""

CHARTED_DAYS = 180


@dataclass(slots=True)
class StreamLooks:
    """The newest look at all streams; who asks while it is made waits for it, so that only one is made at a time."""

    engine: Engine
    settings: Settings
    clock: Clock
    _kept: tuple[datetime, list[StreamStatus]] | None = None
    _lock: Lock = field(default_factory=Lock)

    def all(self) -> tuple[datetime, Sequence[StreamStatus]]:
        """Return when the streams were looked at, and each of them."""
        with self._lock:
            now = self.clock.now()
            if self._kept is None or now - self._kept[0] > LOOK_IS_KEPT:
                self._kept = now, look(self.engine, self.settings, now)
            return self._kept

    def days(self, key: StreamKey) -> Sequence[ChartDay]:
        """Return the days of a stream's chart, empty where it has none."""
        looked_at, statuses = self.all()
        status = next((one for one in statuses if one.key == key), None)
        if status is None:
            return []
        zone = ZoneInfo(self.settings.file.site.time_zone)
        watch = decided(AlarmRows(self.engine).all(), Calendar(zone, looked_at.astimezone(zone).date()))
        return chart_days(status, watch.restarts.get(key), CHARTED_DAYS)
