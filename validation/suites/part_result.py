"""What a part of a suite found, and how its figures are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from validation.intervals import Interval
from validation.result_document import Json
from validation.statistics.comparison import AreaDifference


@dataclass(frozen=True, slots=True)
class PartResult:
    """The figures of a part, and in words what speaks against the bundle or the data; none where nothing does."""

    figures: Mapping[str, Json]
    findings: tuple[str, ...] = field(default=())

    def as_object(self) -> dict[str, Json]:
        return {**self.figures, "n_findings": len(self.findings), "findings": list(self.findings)}


def rounded(value: float | None, digits: int = 4) -> float | None:
    """Return a number as it is written, None where there is none."""
    return None if value is None else round(value, digits)


def limits(interval: Interval | None) -> Json:
    """Return an interval as it is written, None where there is none."""
    return None if interval is None else [round(interval[0], 4), round(interval[1], 4)]


def difference_object(found: AreaDifference) -> dict[str, Json]:
    """Return a difference of AUCs with its interval."""
    return {"difference": rounded(found.difference), "ci95": limits(found.interval)}
