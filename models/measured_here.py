"""What this installation measured of a model, as a section of its card: out of the same records as the page."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from models.evidence import MeasuredRun, MeasuredSuite, ReachedVerdict
from models.registry import full_name

Measured = TypeVar("Measured", MeasuredRun, MeasuredSuite, ReachedVerdict)

TITLE = "## Measured on this installation"
LOOKED_BACK = 200
Figure = Mapping[str, Any] | None


class Records(Protocol):
    """The measurements that are kept; each newest first, with its number."""

    def runs(self, limit: int, model_digest: str | None = None) -> Sequence[tuple[int, MeasuredRun]]: ...
    def suites(self, limit: int, model_digest: str | None = None) -> Sequence[tuple[int, MeasuredSuite]]: ...
    def verdicts(self, limit: int, model_digest: str | None = None) -> Sequence[tuple[int, ReachedVerdict]]: ...


def with_measured(card: str, records: Records, model_digest: str) -> str:
    """Return a model's card, and after it what `records` say about the model."""
    section = measured_here(
        [one for _, one in records.runs(LOOKED_BACK, model_digest)],
        [one for _, one in records.suites(LOOKED_BACK, model_digest)],
        [one for _, one in records.verdicts(LOOKED_BACK, model_digest)],
    )
    return card.rstrip("\n") + f"\n\n{section}" if section else card


def measured_here(
    runs: Sequence[MeasuredRun], suites: Sequence[MeasuredSuite], verdicts: Sequence[ReachedVerdict]
) -> str:
    """Return the section as Markdown, empty where nothing was measured.

    Each is given newest first. Of each data set the newest run is told, of each suite and set the newest result; a
    later measurement of the same takes the place of an earlier one here, but not in the records.
    """
    lines = [
        *(_of_run(one) for one in _newest((one.dataset_digest, one) for one in runs)),
        *(_of_suite(one) for one in _newest(((one.suite_digest, one.dataset_digest), one) for one in suites)),
        *(_of_verdict(one) for one in _newest(((one.plan_sha256, one.dataset_digest), one) for one in verdicts)),
    ]
    if not lines:
        return ""
    said = "From the records that the page Validation and its reports show, too; with 95 % intervals."
    return "\n".join((TITLE, said, *lines, ""))


def _newest(keyed: Iterable[tuple[object, Measured]]) -> list[Measured]:
    newest: dict[object, Measured] = {}
    for key, one in keyed:
        newest.setdefault(key, one)
    return list(newest.values())


def _of_run(run: MeasuredRun) -> str:
    document = run.document
    figures = [f"study AUC {_shown(document.get('study_auc'))}", f"image AUC {_shown(document.get('image_auc'))}"]
    for point in document.get("operating_points", ()):
        if point.get("active"):
            figures += [f"{name} {_shown(point[name])}" for name in ("sensitivity", "specificity")]
    seen = "; trained on patients of this set" if document.get("trained_on_this_data") else ""
    return (
        f"- Run on {run.dataset} ({run.dataset_digest[:12]}), {run.measured_at:%Y-%m-%d}: "
        f"{document.get('n_studies', '?')} studies; {', '.join(figures)}{seen}."
    )


def _of_suite(suite: MeasuredSuite) -> str:
    criteria = suite.document["criteria"]
    failed = [f"{one['part']} {one['figure']}: found {one['value']}" for one in criteria if not one["met"]]
    said = f"failed ({'; '.join(failed)})" if failed else "passed, every criterion is met"
    where = f"{suite.dataset} ({suite.dataset_digest[:12]})"
    return f"- Suite {suite.suite} on {where}, {suite.measured_at:%Y-%m-%d}: {said}."


def _of_verdict(verdict: ReachedVerdict) -> str:
    said = "accepted" if verdict.accepted else "refused"
    return f"- Compared with {full_name(verdict.reference)}, {verdict.decided_at:%Y-%m-%d}: {said}."


def _shown(figure: Figure) -> str:
    if not figure or figure.get("value") is None:
        return "none"
    ci95 = figure.get("ci95")
    return f"{figure['value']:.3f}" + (f" ({ci95[0]:.3f} to {ci95[1]:.3f})" if ci95 else "")
