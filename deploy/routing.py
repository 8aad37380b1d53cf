"""Routing rules on stored studies: which file holds them, and what they say about a study as it stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from deploy.bundles import places_of
from deploy.rule_file import KnownNames, read_rules
from deploy.settings import Settings
from dicom_gateway.attribute_values import attribute_values
from triage.errors import UnreadableInstance
from triage.rules import Facts, Routing, Rule, decide
from triage.study import Series, Study

log = structlog.get_logger(__name__)

RULE_FILE = "rules.toml"


@dataclass(frozen=True, slots=True)
class FileRouter:
    """Asks the rules of a file; satisfies `triage.ports.Router`."""

    rules: tuple[Rule, ...]
    zone: ZoneInfo

    def route(self, study: Study, series: Sequence[Series], source_ae_titles: Sequence[str]) -> Routing:
        """Return what the rules want; where a header cannot be read, nothing is restricted, and the row says so."""
        try:
            return decide(self.rules, self.facts(series, source_ae_titles, study.received_at))
        except UnreadableInstance as error:
            log.error("rules_not_evaluated", reason=str(error))
            return Routing(problem="routing rules not evaluated, a header cannot be read")

    def facts(self, series: Sequence[Series], source_ae_titles: Sequence[str], arrived: datetime) -> tuple[Facts, ...]:
        """Return what the rules may ask about each series, from its first image; raises UnreadableInstance."""
        return tuple(
            self.facts_of(_first_file(one), source_ae_titles, arrived, one.header.series_instance_uid) for one in series
        )

    def facts_of(self, file: Path, source_ae_titles: Sequence[str], arrived: datetime, series: str = "") -> Facts:
        """Return what the rules may ask about the series of one file; raises UnreadableInstance."""
        return Facts(attribute_values(file), tuple(source_ae_titles), arrived.astimezone(self.zone), series)


def rule_file_of(settings: Settings) -> Path:
    """Return where the rules of this installation are, whether there are any or not."""
    return settings.home / RULE_FILE


def rules_of(settings: Settings, file: Path | None = None) -> tuple[Rule, ...]:
    """Return the rules of `file`, or of this installation, which may have none; raises InvalidSetting."""
    path = file or rule_file_of(settings)
    if file is None and not path.is_file():
        return ()
    models = {place.name for place in places_of(settings)}
    destinations = settings.file.destinations
    taking_results = {one.name for one in destinations if one.send}
    return read_rules(path, KnownNames(models, {one.name for one in destinations}, taking_results))


def router_of(settings: Settings, file: Path | None = None) -> FileRouter:
    """Return the rules of `file`, or of this installation, ready to be asked; raises InvalidSetting."""
    return FileRouter(rules_of(settings, file), ZoneInfo(settings.file.site.time_zone))


def _first_file(series: Series) -> Path:
    """Return the file of the image with the lowest instance number, ties by UID."""
    images = zip(series.images, series.files, strict=True)
    first = min(images, key=lambda one: (one[0].instance_number or 0, one[0].sop_instance_uid))
    return Path(first[1].path)
