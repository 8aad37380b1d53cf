"""`acuity validate run`: a bundle on a labelled data set, by the same steps as live studies."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from models.bundle import Bundle
from triage.errors import InvalidDataset, PermanentError
from validation.answering import POLICIES, Answers, Subject
from validation.answers import HeaderReader, StudyAnswer
from validation.asking import Asker
from validation.assumed_headers import require_known_modality
from validation.dataset_description import DESCRIPTION_FILE
from validation.datasets import load_dataset
from validation.environment import environment_of
from validation.figures import figures_of
from validation.labelled_images import Dataset
from validation.located import located_figures
from validation.outlines import dice_figures
from validation.pdf import WritePdf
from validation.report import report_html
from validation.result_document import Json, Measured, as_object, write_predictions
from validation.training_overlap import training_overlap, unseen_by
from validation.written_whole import require_free, written_whole

RESULT_FILE, PREDICTIONS_FILE, REPORT_FILE, PDF_FILE = "result.json", "predictions.csv", "report.html", "report.pdf"


@dataclass(frozen=True, slots=True)
class ValidationRequest:
    """What to measure on what, where to write it, and on which device; `threads` are of the CPU, for each worker.

    More than one of the `workers` are processes, each with a model of its own. Those `elsewhere` answer in place of
    this machine. With `write_pdf` the report is written as PDF, too.
    """

    bundle: Bundle
    data: Path
    out: Path
    device: str
    threads: int
    at: datetime
    workers: int = 1
    elsewhere: Answers | None = None
    write_pdf: WritePdf | None = None

    def environment(self) -> dict[str, Json]:
        """Return what the figures are computed with."""
        return environment_of(self.threads, None if self.elsewhere else self.workers, self.device)


def validate(
    request: ValidationRequest, header_of: HeaderReader, progress: Callable[[int, int], None]
) -> dict[str, Json]:
    """Write `predictions.csv`, `report.html` and `result.json` to `request.out`, and return what the last one says.

    Until then the answers are kept in a hidden folder beside `out`: the same request goes on where it was stopped.

    Args:
        request: what to measure.
        header_of: reads the header of a DICOM file as the gateway does.
        progress: is told how many studies are done and how many there are.

    Raises:
        InvalidDataset: the data set does not load or is of another modality, or `out` holds something else.
        InvalidBundle: the weights do not load.
        ProviderUnavailable: the device is not there.
        NotAnswered: those elsewhere cannot answer.
    """
    require_free(request.out, is_earlier_run)
    dataset = load_dataset(request.data)
    require_modality(request, dataset)
    out = request.out.resolve()
    answers = out.with_name(f".{out.name}.answers")
    try:
        measured = _measure(request, dataset, header_of, progress, answers)
    except PermanentError:
        # Only what was stopped goes on; what the input made fail would fail again.
        shutil.rmtree(answers, ignore_errors=True)
        raise
    with written_whole(request.out, is_earlier_run) as unfinished:
        document = as_object(measured)
        write_predictions(unfinished / PREDICTIONS_FILE, measured.answers, request.bundle.spec.active.threshold)
        (unfinished / RESULT_FILE).write_text(
            json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
        page = report_html(measured)
        (unfinished / REPORT_FILE).write_text(page, encoding="utf-8")
        if request.write_pdf is not None:
            request.write_pdf(page, unfinished / PDF_FILE)
    shutil.rmtree(answers, ignore_errors=True)
    return document


def is_earlier_run(folder: Path) -> bool:
    """Return whether `folder` holds what `validate` wrote, and nothing else."""
    return {path.name for path in folder.iterdir()} - {PDF_FILE} == {RESULT_FILE, PREDICTIONS_FILE, REPORT_FILE}


def _measure(
    request: ValidationRequest,
    dataset: Dataset,
    header_of: HeaderReader,
    progress: Callable[[int, int], None],
    answers: Path,
) -> Measured:
    subject = Subject(request.bundle, dataset, header_of, POLICIES[request.device], request.threads)
    with Asker(
        subject, answers, lambda _, done, total: progress(done, total), request.workers, request.elsewhere
    ) as asker:
        asked = asker.ask("run", dataset.studies)
    return measured_of(request, dataset, asked.answers, asked.seconds)


def measured_of(
    request: ValidationRequest, dataset: Dataset, answers: Sequence[StudyAnswer], seconds: float
) -> Measured:
    """Return all that `answers` to the studies of `dataset` show; raises InvalidDataset where a mask does not fit."""
    bundle = request.bundle
    overlap = training_overlap(bundle.folder, dataset)
    return Measured(
        bundle=bundle,
        dataset=dataset,
        answers=tuple(answers),
        figures=figures_of(answers, bundle.spec, dataset.description.subgroups),
        overlap=overlap,
        located=located_figures(answers, dataset),
        dice=dice_figures(answers, dataset) if bundle.spec.segmentation else None,
        out_of_fold=len({study.patient for study in dataset.studies} & unseen_by(bundle, dataset).keys()),
        device=request.device,
        seconds=seconds,
        measured_at=request.at.isoformat(timespec="seconds"),
        environment=request.environment(),
    )


def require_modality(request: ValidationRequest, dataset: Dataset) -> None:
    """Raise InvalidDataset when the whole set is of a kind that the model never sees; DICOM files speak for
    themselves."""
    description, accepted = dataset.description, request.bundle.spec.accepts.modalities
    if not dataset.is_dicom:
        require_known_modality(description, request.data.name)
    if description.modality and description.modality not in accepted:
        raise InvalidDataset(
            f"{request.data.name}/{DESCRIPTION_FILE}: modality: found {description.modality}, "
            f"needed {' or '.join(accepted)} for {request.bundle.identity.name}"
        )
