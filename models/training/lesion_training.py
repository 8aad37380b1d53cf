"""`acuity-train` for the planar models: from a data set to a whole bundle, every figure of its card measured here."""

import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from inference.postprocess import calibrated
from models.integrity import file_digests, seal
from models.training.bundle_files import write_json
from models.training.calibration import fitted_curve, operating_points
from models.training.export import Parity, check_parity, export_onnx
from models.training.gate import GateFigures
from models.training.left_out import left_out_figures
from models.training.lesion_bundle import OUTPUTS, triage_spec, write_configs
from models.training.lesion_card import LesionReport, card_text
from models.training.lesion_figures import by_patient, lesion_figures, of_studies
from models.training.lesion_fit import batch_of, network_input
from models.training.lesion_folds import CrossValidated, cross_validate
from models.training.lesion_gate import gauges_of, tried
from models.training.lesion_images import ImageSet, read_image_set
from models.training.lesion_recipe import Recipe
from models.training.lesion_serving import ServingLesions
from models.training.progress import WatcherOf
from models.training.shortcuts import Shortcuts, shortcut_aucs
from models.triage_spec import Calibration, TriageSpec

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LesionRequest:
    """What to train from, where to put the bundle, and how.

    `kept` holds the networks of finished folds, so that a run that was stopped goes on where it was; `others` are data
    sets of other kinds, which the gate should refuse.
    """

    recipe: Recipe
    data: Path
    bundle_folder: Path
    kept: Path
    others: tuple[Path, ...] = ()
    device: str = "cpu"
    parity_images: int = 64


def train_lesions(request: LesionRequest, watcher_of: WatcherOf) -> LesionReport:
    """Write the bundle and return what its card says.

    Raises:
        InvalidDataset: a data set cannot be read.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    recipe = request.recipe
    images = read_image_set(request.data, recipe.preparation, recipe.targets)
    result = cross_validate(recipe, images, request.kept, request.device, watcher_of)
    gauges, limit, in_scope = gauges_of(recipe, images, result)
    network = ServingLesions([member.network for member in result.members], gauges).eval().cpu()
    spec = replace(calibrate(recipe, images, result), novelty_limit=limit)
    report = LesionReport(
        figures=lesion_figures(recipe, images, result, spec),
        gate=GateFigures(limit, in_scope, tried(recipe, images, network, limit, request.others)),
        shortcuts=_shortcuts(recipe, images, result.folds),
        parity=_export(request, images, network),
        members=len(result.members),
        parameters=sum(one.numel() for one in result.members[0].network.parameters()),
        command=_command(request),
        left_out=left_out_figures(recipe, images, result, request.kept, request.device, watcher_of),
    )
    write_configs(request.bundle_folder, recipe, spec)
    _write_documents(request, report, spec, _log_of(request, images, result))
    seal(request.bundle_folder)
    return report


def calibrate(recipe: Recipe, images: ImageSet, result: CrossValidated) -> TriageSpec:
    """Return the spec with calibration and operating points from the out-of-fold scores.

    Where no study is negative, a study's probability is that of its most suspicious image.
    """
    known = ~np.isnan(images.targets[:, 0])
    positive = images.targets[known, 0] == 1
    logits = result.unseen.logits[known, 0].astype(np.float64)
    image_curve = study_curve = fitted_curve(logits, positive)
    truth, scores = positive, logits
    if recipe.counted == "study":
        truth, scores, _ = of_studies(positive, logits, images.studies[known], images.patients[known])
        study_curve = fitted_curve(scores, truth)
    points = operating_points(calibrated(scores, study_curve), truth)
    return triage_spec(recipe, Calibration(image_curve, study_curve), points)


def _shortcuts(recipe: Recipe, images: ImageSet, folds: NDArray[np.int64]) -> Shortcuts:
    known = np.flatnonzero(~np.isnan(images.targets[:, 0]))
    groups = [known[group] for group in by_patient(images.patients[known])]
    return shortcut_aucs(
        [[images.files[index] for index in group] for group in groups],
        [images.targets[group, 0] == 1 for group in groups],
        np.array([folds[group[0]] for group in groups]),
        recipe.plan.seed,
    )


def _export(request: LesionRequest, images: ImageSet, network: ServingLesions) -> Parity:
    chosen = np.linspace(0, len(images) - 1, min(request.parity_images, len(images))).astype(np.int64)
    planes, _ = batch_of(images, chosen, request.recipe.preparation)
    tensors = network_input(planes, request.recipe.preparation).numpy()
    target = request.bundle_folder / "models/model.onnx"
    export_onnx(network, tensors[:2], target, OUTPUTS)
    return check_parity(network, target, tensors, OUTPUTS)


def _command(request: LesionRequest) -> str:
    words = [f"acuity-train {request.recipe.name} --data {request.data.name}"]
    words += [f"--others {' '.join(one.name for one in request.others)}"] if request.others else []
    return " ".join([*words, f"--device {request.device}"])


def _log_of(request: LesionRequest, images: ImageSet, result: CrossValidated) -> dict[str, object]:
    plan: dict[str, object] = asdict(request.recipe.plan)
    return {
        "model": request.recipe.name,
        "version": request.recipe.version,
        "data": {"name": images.name, "sha256": images.digest},
        "plan": plan,
        "device": request.device,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "folds": _by_patient(images, result.folds),
        "mean_loss_per_epoch": [list(member.losses) for member in result.members],
        "out_of_fold_logits": {
            str(path.relative_to(images.folder)): round(float(logit), 4)
            for path, logit in zip(images.files, result.unseen.logits[:, 0], strict=True)
        },
    }


def _by_patient(images: ImageSet, folds: NDArray[np.int64]) -> dict[str, int]:
    return {str(patient): int(fold) for patient, fold in zip(images.patients, folds, strict=True)}


def _write_documents(
    request: LesionRequest, report: LesionReport, spec: TriageSpec, training_log: dict[str, object]
) -> None:
    documents = request.bundle_folder / "docs"
    write_json(documents / "training-log.json", training_log)
    write_json(documents / "figures.json", asdict(report))
    weights = dict(file_digests(request.bundle_folder / "models"))["model.onnx"]
    (documents / "README.md").write_text(card_text(report, request.recipe, spec, weights), encoding="utf-8")
