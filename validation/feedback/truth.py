"""What readers and final reports say about a live study, as truth for one model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from triage.errors import InvalidDataset
from triage.findings import Finding
from triage.reading import Act, Answer, standing_verdicts
from validation.labels_table import read_table


@dataclass(frozen=True, slots=True)
class LiveCase:
    """One live study with the model's answer and what people said since.

    `readers` holds one truth for each reader who answered this model, `report` that of the final report.
    """

    study: str
    patient: str
    site: str
    scanner: str
    probability: float
    threshold: float
    readers: tuple[bool, ...] = ()
    report: bool | None = None

    @property
    def flagged(self) -> bool:
        return self.probability >= self.threshold

    @property
    def readers_differ(self) -> bool:
        return len(set(self.readers)) > 1

    @property
    def truth(self) -> bool | None:
        """The final report where there is one, else what the readers agree on, else None."""
        if self.report is not None or self.readers_differ or not self.readers:
            return self.report
        return self.readers[0]


def readers_truth(acts: Sequence[Act], finding: Finding, spoke_alone: bool) -> tuple[bool, ...]:
    """Return what each reader's newest verdict says about `finding`, in the order of the verdicts.

    To agree with a flag, or to put its place right, means that the finding is there; to reject it, that it is not; to
    agree with no flag, that it is not. A finding told as missed names no model, so it counts where this model was the
    only one that answered (`spoke_alone`), and where it raised no flag.
    """
    said: dict[str, bool] = {}
    for act in standing_verdicts(acts):
        verdict = act.verdict
        if verdict is None:
            continue
        if verdict.answer is Answer.ADD:
            if spoke_alone and not finding.flagged:
                said[act.reader] = True
        elif verdict.model == finding.model and verdict.code == finding.code:
            agreed = verdict.answer is Answer.ACCEPT
            said[act.reader] = finding.flagged if agreed else verdict.answer is Answer.MODIFY
    return tuple(said.values())


def read_reports(path: Path) -> Mapping[str, bool]:
    """Return what final reports say: a CSV file with `StudyInstanceUID,label`; rows without a label are left out.

    Raises:
        InvalidDataset: the table cannot be read, or a study comes twice.
    """
    found: dict[str, bool] = {}
    for row in read_table(path, ("StudyInstanceUID", "label")):
        uid, label = row.text("StudyInstanceUID"), row.label("label")
        if uid in found:
            raise InvalidDataset(f"{row.place}: StudyInstanceUID: {uid} a second time, needed once")
        if label is not None:
            found[uid] = label
    return found
