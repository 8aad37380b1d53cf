"""The rows of the list as JSON, each worked out once for every change of it: a page differs from the last in few."""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from triage.ports import Clock
from worklist.ports import ListFilter, Rows, RowVersion
from worklist.schemas import PageFacts, row_view

_MOST_KEPT = 5000


@dataclass(slots=True)
class ToldRows:
    """Tells pages of the list; keeps the newest rows that it told (about 2 kB each) by their version."""

    rows: Rows
    clock: Clock
    _kept: OrderedDict[RowVersion, bytes] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def page(self, wanted: ListFilter) -> bytes:
        """Return a `WorklistView` as JSON; raises UnknownStudy for a page behind a study that was never received."""
        with self._lock:
            told = dict(self._kept)
        page = self.rows.page(wanted, told)
        unknown = [version for version in page.versions if version not in told]
        for version, row in zip(unknown, page.rows, strict=True):
            told[version] = row_view(row).model_dump_json().encode()
        self._keep({version: told[version] for version in page.versions})
        facts = PageFacts(
            total=page.total,
            next_after=page.versions[-1][0] if len(page.versions) == wanted.limit else None,
            change_id=page.change_id,
            server_time=self.clock.now(),
        )
        rows = b",".join(told[version] for version in page.versions)
        return b'{"rows":[' + rows + b"]," + facts.model_dump_json().encode()[1:]

    def _keep(self, told: dict[RowVersion, bytes]) -> None:
        with self._lock:
            self._kept.update(told)
            for version in told:
                self._kept.move_to_end(version)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
