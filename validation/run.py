"""`acuity validate run`: a bundle on a labelled data set, by the same steps as live studies."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from inference.analyser import BundleAnalyser
from inference.runtime import ProviderPolicy
from models.bundle import Bundle
from triage.errors import InvalidDataset
from validation.answers import HeaderReader, StudyAnswer, answer
from validation.assumed_headers import require_known_modality
from validation.dataset_description import DESCRIPTION_FILE
from validation.datasets import load_dataset
from validation.figures import figures_of
from validation.labelled_images import Dataset
from validation.located import located_figures
from validation.outlines import dice_figures
from validation.pdf import WritePdf
from validation.report import report_html
from validation.result_document import Json, Measured, as_object, write_predictions
from validation.training_overlap import training_overlap
from validation.written_whole import written_whole

RESULT_FILE, PREDICTIONS_FILE, REPORT_FILE, PDF_FILE = "result.json", "predictions.csv", "report.html", "report.pdf"
POLICIES = {"cpu": ProviderPolicy.CPU_ONLY, "cuda": ProviderPolicy.REQUIRE_GPU}
PACKAGES = ("acuity", "numpy", "onnxruntime", "pillow", "pydicom", "scipy")


@dataclass(frozen=True, slots=True)
class ValidationRequest:
    """What to measure on what, where to write it, and on which device; `threads` are of the CPU.

    With `write_pdf` the report is written as PDF, too.
    """

    bundle: Bundle
    data: Path
    out: Path
    device: str
    threads: int
    at: datetime
    write_pdf: WritePdf | None = None


def validate(
    request: ValidationRequest, header_of: HeaderReader, progress: Callable[[int, int], None]
) -> dict[str, Json]:
    """Write `predictions.csv`, `report.html` and `result.json` to `request.out`, and return what the last one says.

    Args:
        request: what to measure.
        header_of: reads the header of a DICOM file as the gateway does.
        progress: is told how many studies are done and how many there are.

    Raises:
        InvalidDataset: the data set does not load or is of another modality, or `out` holds something else.
        InvalidBundle: the weights do not load.
        ProviderUnavailable: the device is not there.
    """
    with written_whole(request.out, is_earlier_run) as unfinished:
        dataset = load_dataset(request.data)
        require_modality(request, dataset)
        measured = _measure(request, dataset, header_of, progress)
        document = as_object(measured)
        write_predictions(unfinished / PREDICTIONS_FILE, measured.answers, request.bundle.spec.active.threshold)
        (unfinished / RESULT_FILE).write_text(
            json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
        page = report_html(measured)
        (unfinished / REPORT_FILE).write_text(page, encoding="utf-8")
        if request.write_pdf is not None:
            request.write_pdf(page, unfinished / PDF_FILE)
    return document


def is_earlier_run(folder: Path) -> bool:
    """Return whether `folder` holds what `validate` wrote, and nothing else."""
    return {path.name for path in folder.iterdir()} - {PDF_FILE} == {RESULT_FILE, PREDICTIONS_FILE, REPORT_FILE}


def _measure(
    request: ValidationRequest, dataset: Dataset, header_of: HeaderReader, progress: Callable[[int, int], None]
) -> Measured:
    bundle = request.bundle
    members = unseen_by(bundle, dataset)
    analyser = BundleAnalyser((bundle,), POLICIES[request.device], request.threads, with_members=bool(members))
    analyser.warm_up()
    answers: list[StudyAnswer] = []
    started = time.perf_counter()
    for study in dataset.studies:
        answers.append(answer(study, dataset, bundle, analyser, header_of, members.get(study.patient)))
        progress(len(answers), len(dataset.studies))
    return measured_of(request, dataset, answers, time.perf_counter() - started)


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
        environment=environment_of(request.threads, request.device),
    )


def unseen_by(bundle: Bundle, dataset: Dataset) -> Mapping[str, int]:
    """Return, for each patient that the bundle was cross-validated on, which of its networks did not see the patient.

    Empty where the bundle has no such networks. Patients are known as in `training_overlap`: by set and name, so those
    of a set that `to_dicom` converted are.
    """
    if not bundle.spec.members:
        return {}
    return training_overlap(bundle.folder, dataset).folds


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


def environment_of(threads: int, device: str) -> dict[str, Json]:
    """Return what the figures were computed with; nothing that names the machine or its owner."""
    versions: dict[str, Json] = {name: version(name) for name in PACKAGES}
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cpu_count": os.cpu_count(),
        "gpu": _gpu() if device == "cuda" else None,
        "threads": threads,
        **versions,
    }


def _cpu() -> str:
    """Return the processor's own name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _gpu() -> str | None:
    """Return name and driver of the GPUs as NVIDIA's own tool tells them, None where it is absent."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return "; ".join(line.strip() for line in told.splitlines() if line.strip()) or None
