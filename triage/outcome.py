"""What the list says about a study when its models have answered."""

from collections.abc import Sequence
from dataclasses import dataclass

from triage.findings import AiState, Analysis, ModelIdentity
from triage.priority import Priority, most_urgent
from triage.selection import Selection
from triage.study import Series


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one study in one triage: recorded analyses, and the state and the words for the list."""

    analyses: tuple[tuple[Series, Analysis], ...]
    state: AiState
    reason: str
    raises_to: Priority
    selections: tuple[tuple[ModelIdentity, Selection], ...] = ()


def summary(analyses: tuple[tuple[Series, Analysis], ...], refusals: Sequence[str], failures: Sequence[str]) -> Outcome:
    """Return what the list says: a flag counts whatever else failed; "no flag" only when no model failed."""
    answered = [analysis for _, analysis in analyses if not analysis.out_of_scope]
    flagged = [finding for analysis in answered for finding in analysis.findings if finding.flagged]
    if flagged:
        band = most_urgent(*(finding.raises_to for finding in flagged))
        said = [f"suspected {f.code.meaning.lower()}, {f.model.name} {f.model.version}" for f in flagged]
        return Outcome(analyses, AiState.ANALYSED_FLAGGED, "; ".join([*said, *failures]), band)
    if failures:
        return Outcome(analyses, AiState.FAILED, "; ".join(failures), Priority.ROUTINE)
    if answered:
        said = [f"{a.model.name} {a.model.version}" for a in answered]
        return Outcome(analyses, AiState.ANALYSED_NO_FLAG, ", ".join(said), Priority.ROUTINE)
    return Outcome(analyses, AiState.OUT_OF_SCOPE, "; ".join(refusals) or "no model in service", Priority.ROUTINE)
