"""The recipe of `ct-head-haemorrhage`: five networks, each fitted without a fifth of the patients, become one model.

Every figure comes from the patients that the scoring network did not see. The shipped model is the five networks
together, so no patient of the set is unseen to all of it; what it reaches on others is estimated by its members.
"""

from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from inference.postprocess import calibrated
from inference.preprocess import stack_channels
from models.integrity import file_digests, seal
from models.training.bundle_files import NAME, PREPARATION, VERSION, triage_spec, write_configs, write_json
from models.training.calibration import best_aggregation, fitted_curve, operating_points, study_logits
from models.training.card import TrainingReport, card_text
from models.training.export import Parity, ServingNetwork, check_parity, export_onnx
from models.training.figures import figures_of
from models.training.fit import FitPlan, fit, slice_logits
from models.training.gate import GateFigures
from models.training.head_ct_dataset import LABELS, LabelledSet, LabelledStudy, read_labelled_set
from models.training.head_ct_gate import gauges_of, phantom_figures, tried
from models.training.kept import Fitted, fitted_or_kept, key_of
from models.training.network import HaemorrhageNetwork
from models.training.progress import WatcherOf
from models.training.shortcuts import shortcut_aucs
from models.triage_spec import Calibration, TriageSpec


@dataclass(frozen=True, slots=True)
class Request:
    """What to train from, where to put the bundle, and how.

    `kept` holds the networks of finished folds; `phantoms` are simulated heads, half of which the gate knows, while the
    model is asked about the others; `others` are data sets of other kinds, which the gate should refuse.
    """

    data: Path
    bundle_folder: Path
    kept: Path
    phantoms: Path | None = None
    others: tuple[Path, ...] = ()
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


def train(request: Request, watcher_of: WatcherOf) -> TrainingReport:
    """Write the bundle and return what its card says.

    Raises:
        InvalidDataset: the data or the phantoms cannot be read.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    data = read_labelled_set(request.data, PREPARATION)
    phantoms = read_labelled_set(request.phantoms, PREPARATION) if request.phantoms else None
    known_phantoms, unknown_phantoms = _halves(phantoms, request.plan.seed)
    result = cross_validate(data, request, watcher_of)
    networks = [member.network for member in result.members]
    gauges, limit, in_scope = gauges_of(data.studies, result.folds, networks, known_phantoms)
    spec = replace(calibrate(result, data.studies), novelty_limit=limit, members=request.folds)
    network = ServingNetwork(networks, gauges).eval()
    others = tried(network, data.studies, limit, request.others, request.plan.seed)
    report = TrainingReport(
        figures=figures_of(result.logits, [one.labels for one in data.studies], spec, request.plan.seed),
        gate=GateFigures(limit, in_scope, others),
        shortcuts=shortcut_aucs(
            [list(one.files) for one in data.studies],
            [one.labels[:, 0] > 0 for one in data.studies],
            result.folds,
            request.plan.seed,
        ),
        parity=_export(network, data, request),
        aggregation=spec.aggregation,
        members=len(result.members),
        phantoms=phantom_figures(network, unknown_phantoms, limit, spec) if unknown_phantoms else None,
        command=_command(request),
    )
    write_configs(request.bundle_folder, spec)
    _write_documents(request, report, spec, _log_of(request, data, phantoms, result))
    seal(request.bundle_folder)
    return report


def cross_validate(data: LabelledSet, request: Request, watcher_of: WatcherOf) -> CrossValidated:
    """Fit one network per fold of the patients, and score what it did not see."""
    studies = data.studies
    folds = assign_folds([one.positive for one in studies], request.folds, request.plan.seed)
    logits: list[NDArray[np.float64]] = [np.zeros(0)] * len(studies)
    members = []
    for fold in range(request.folds):
        seen = [one for one, own in zip(studies, folds, strict=True) if own != fold]
        watch = watcher_of(f"fold {fold + 1} of {request.folds}")
        fit_now = partial(fit, seen, PREPARATION, request.plan, request.device, watch)
        key = key_of(asdict(request.plan), asdict(PREPARATION), data.digest, [one.patient for one in seen])
        empty = HaemorrhageNetwork(len(PREPARATION.channels), len(LABELS), request.plan.widths)
        fitted = fitted_or_kept(request.kept / f"fold-{fold + 1}.pt", key, empty, fit_now)
        for index in np.flatnonzero(folds == fold):
            scores = slice_logits(fitted.network, studies[index], PREPARATION, request.device)
            logits[index] = scores[:, 0].astype(np.float64)
        members.append(fitted)
    return CrossValidated(folds, tuple(members), logits)


def assign_folds(positive: list[bool], folds: int, seed: int) -> NDArray[np.int64]:
    """Return the fold of each patient, positive ones and others spread evenly."""
    random = np.random.default_rng(seed)
    assigned = np.zeros(len(positive), dtype=np.int64)
    for kind in (True, False):
        members = [index for index, one in enumerate(positive) if one is kind]
        assigned[random.permutation(members).astype(np.int64)] = np.arange(len(members)) % folds
    return assigned


def _halves(phantoms: LabelledSet | None, seed: int) -> tuple[list[LabelledStudy], list[LabelledStudy]]:
    """Return the phantoms that the gate knows, and those that the model is asked about."""
    studies = phantoms.studies if phantoms else ()
    half = assign_folds([one.positive for one in studies], 2, seed)
    known, unknown = ([one for one, own in zip(studies, half, strict=True) if own == which] for which in (0, 1))
    return known, unknown


def calibrate(result: CrossValidated, studies: tuple[LabelledStudy, ...]) -> TriageSpec:
    """Return the spec with aggregation, calibration and operating points from the out-of-fold scores."""
    positive = np.array([one.positive for one in studies])
    aggregation = best_aggregation(result.logits, positive)
    of_studies = study_logits(result.logits, aggregation)
    image_curve = fitted_curve(np.concatenate(result.logits), np.concatenate([one.labels[:, 0] > 0 for one in studies]))
    study_curve = fitted_curve(of_studies, positive)
    points = operating_points(calibrated(of_studies, study_curve), positive)
    return triage_spec(aggregation, Calibration(image_curve, study_curve), points)


def _export(network: ServingNetwork, data: LabelledSet, request: Request) -> Parity:
    tensors = [
        stack_channels(one.planes, one.inside, 1, PREPARATION)
        for one in data.studies[:: max(1, len(data.studies) // 8)]
    ]
    slices = np.concatenate(tensors)[: request.parity_slices]
    target = request.bundle_folder / "models/model.onnx"
    export_onnx(network, slices[:2], target)
    return check_parity(network, target, slices)


def _command(request: Request) -> str:
    phantoms = f" --phantoms {request.phantoms.name}" if request.phantoms else ""
    others = f" --others {' '.join(one.name for one in request.others)}" if request.others else ""
    return f"acuity-train {NAME} --data {request.data.name}{phantoms}{others} --device {request.device}"


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
