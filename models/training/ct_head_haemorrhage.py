"""The recipe of `ct-head-haemorrhage`: five networks, each fitted without a fifth of the patients, become one model.

Every figure comes from the patients that the scoring network did not see. The shipped model is the five networks
together, so no patient of the set is unseen to all of it; what it reaches on others is estimated by its members.
"""

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from inference.postprocess import calibrated
from inference.preprocess import stack_channels
from models.integrity import file_digests, seal
from models.training.bundle_files import NAME, PREPARATION, VERSION, triage_spec, write_configs, write_json
from models.training.calibration import auc, best_aggregation, fitted_curve, operating_points, study_logits
from models.training.card import PhantomFigures, TrainingReport, card_text
from models.training.export import Parity, ServingNetwork, check_parity, export_onnx
from models.training.figures import exact_proportion, figures_of
from models.training.fit import FitPlan, fit, slice_logits
from models.training.head_ct_dataset import LABELS, LabelledSet, LabelledStudy, read_labelled_set
from models.training.kept import Fitted, fitted_or_kept, key_of
from models.training.network import HaemorrhageNetwork
from models.training.progress import WatcherOf
from models.training.shortcuts import shortcut_aucs
from models.triage_spec import Calibration, TriageSpec


@dataclass(frozen=True, slots=True)
class Request:
    """What to train from, where to put the bundle, and how; `kept` holds the networks of finished folds."""

    data: Path
    bundle_folder: Path
    kept: Path
    phantoms: Path | None = None
    device: str = "cpu"
    folds: int = 5
    plan: FitPlan = field(default_factory=FitPlan)
    parity_slices: int = 240


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """One network per fold, and for every study the slice logits of the network that did not see it."""

    folds: NDArray[np.int64]
    members: tuple[Fitted[HaemorrhageNetwork], ...]
    logits: list[NDArray[np.float64]]
    phantom_logits: list[NDArray[np.float64]]


def train(request: Request, watcher_of: WatcherOf) -> TrainingReport:
    """Write the bundle and return what its card says.

    Raises:
        InvalidDataset: the data or the phantoms cannot be read.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    data = read_labelled_set(request.data, PREPARATION)
    phantoms = read_labelled_set(request.phantoms, PREPARATION) if request.phantoms else None
    result = cross_validate(data, phantoms, request, watcher_of)
    spec = calibrate(result, data.studies)
    network = ServingNetwork([member.network for member in result.members])
    parity = _export(network, data, request)
    report = TrainingReport(
        figures=figures_of(result.logits, [one.labels for one in data.studies], spec, request.plan.seed),
        shortcuts=shortcut_aucs(
            [list(one.files) for one in data.studies],
            [one.labels[:, 0] > 0 for one in data.studies],
            result.folds,
            request.plan.seed,
        ),
        parity=parity,
        aggregation=spec.aggregation,
        members=len(result.members),
        phantoms=_phantom_figures(result, phantoms, spec) if phantoms else None,
        command=_command(request),
    )
    write_configs(request.bundle_folder, spec)
    _write_documents(request, report, spec, _log_of(request, data, phantoms, result))
    seal(request.bundle_folder)
    return report


def cross_validate(
    data: LabelledSet, simulated: LabelledSet | None, request: Request, watcher_of: WatcherOf
) -> CrossValidated:
    """Fit one network per fold of the patients (and of the phantoms), and score what it did not see."""
    studies, phantoms = data.studies, simulated.studies if simulated else ()
    digest = data.digest + (simulated.digest if simulated else "")
    folds = assign_folds([one.positive for one in studies], request.folds, request.plan.seed)
    phantom_folds = assign_folds([one.positive for one in phantoms], request.folds, request.plan.seed)
    logits: list[NDArray[np.float64]] = [np.zeros(0)] * len(studies)
    phantom_logits: list[NDArray[np.float64]] = [np.zeros(0)] * len(phantoms)
    members = []
    for fold in range(request.folds):
        seen, seen_phantoms = _others(studies, folds, fold), _others(phantoms, phantom_folds, fold)
        watch = watcher_of(f"fold {fold + 1} of {request.folds}")
        fit_now = partial(fit, seen, PREPARATION, request.plan, request.device, watch, seen_phantoms)
        patients = [one.patient for one in (*seen, *seen_phantoms)]
        key = key_of(asdict(request.plan), asdict(PREPARATION), digest, patients)
        empty = HaemorrhageNetwork(len(PREPARATION.channels), len(LABELS), request.plan.widths)
        fitted = fitted_or_kept(request.kept / f"fold-{fold + 1}.pt", key, empty, fit_now)
        for unseen, groups, found in ((studies, folds, logits), (phantoms, phantom_folds, phantom_logits)):
            for index in np.flatnonzero(groups == fold):
                scores = slice_logits(fitted.network, unseen[index], PREPARATION, request.device)
                found[index] = scores[:, 0].astype(np.float64)
        members.append(fitted)
    return CrossValidated(folds, tuple(members), logits, phantom_logits)


def assign_folds(positive: list[bool], folds: int, seed: int) -> NDArray[np.int64]:
    """Return the fold of each patient, positive ones and others spread evenly."""
    random = np.random.default_rng(seed)
    assigned = np.zeros(len(positive), dtype=np.int64)
    for kind in (True, False):
        members = [index for index, one in enumerate(positive) if one is kind]
        assigned[random.permutation(members).astype(np.int64)] = np.arange(len(members)) % folds
    return assigned


def calibrate(result: CrossValidated, studies: tuple[LabelledStudy, ...]) -> TriageSpec:
    """Return the spec with aggregation, calibration and operating points from the out-of-fold scores."""
    positive = np.array([one.positive for one in studies])
    aggregation = best_aggregation(result.logits, positive)
    of_studies = study_logits(result.logits, aggregation)
    image_curve = fitted_curve(np.concatenate(result.logits), np.concatenate([one.labels[:, 0] > 0 for one in studies]))
    study_curve = fitted_curve(of_studies, positive)
    points = operating_points(calibrated(of_studies, study_curve), positive)
    return triage_spec(aggregation, Calibration(image_curve, study_curve), points)


def _others(studies: tuple[LabelledStudy, ...], folds: NDArray[np.int64], fold: int) -> list[LabelledStudy]:
    return [one for one, own in zip(studies, folds, strict=True) if own != fold]


def _export(network: ServingNetwork, data: LabelledSet, request: Request) -> Parity:
    tensors = [
        stack_channels(one.planes, one.inside, 1, PREPARATION)
        for one in data.studies[:: max(1, len(data.studies) // 8)]
    ]
    slices = np.concatenate(tensors)[: request.parity_slices]
    target = request.bundle_folder / "models/model.onnx"
    export_onnx(network, slices[:2], target)
    return check_parity(network.eval(), target, slices)


def _phantom_figures(result: CrossValidated, phantoms: LabelledSet, spec: TriageSpec) -> PhantomFigures:
    positive = np.array([one.positive for one in phantoms.studies])
    scores = study_logits(result.phantom_logits, spec.aggregation)
    flagged = calibrated(scores, spec.calibration.study) >= spec.active.threshold
    return PhantomFigures(
        studies=len(positive),
        study_auc=round(auc(positive, scores), 4),
        sensitivity=exact_proportion(int((flagged & positive).sum()), int(positive.sum())),
        specificity=exact_proportion(int((~flagged & ~positive).sum()), int((~positive).sum())),
    )


def _command(request: Request) -> str:
    phantoms = f" --phantoms {request.phantoms.name}" if request.phantoms else ""
    return f"acuity-train {NAME} --data {request.data.name}{phantoms} --device {request.device}"


def _log_of(
    request: Request, data: LabelledSet, phantoms: LabelledSet | None, result: CrossValidated
) -> dict[str, object]:
    return {
        "model": NAME,
        "version": VERSION,
        "data": {"name": data.name, "sha256": data.digest},
        "phantoms": {"name": phantoms.name, "sha256": phantoms.digest} if phantoms else None,
        "plan": asdict(request.plan),
        "device": request.device,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "folds": {one.patient: int(fold) for one, fold in zip(data.studies, result.folds, strict=True)},
        "mean_loss_per_epoch": [list(member.losses) for member in result.members],
        "out_of_fold_logits": {
            one.patient: [round(float(logit), 4) for logit in logits]
            for one, logits in zip(data.studies, result.logits, strict=True)
        },
    }


def _write_documents(
    request: Request, report: TrainingReport, spec: TriageSpec, training_log: dict[str, object]
) -> None:
    documents = request.bundle_folder / "docs"
    write_json(documents / "training-log.json", training_log)
    write_json(documents / "figures.json", asdict(report))
    weights = dict(file_digests(request.bundle_folder / "models"))["model.onnx"]
    (documents / "README.md").write_text(card_text(report, spec, weights), encoding="utf-8")
