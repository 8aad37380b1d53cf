"""`acuity-train`: train a shipped model again from its data set."""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from models.training.bundle_files import NAME
from models.training.ct_head_haemorrhage import Request, train
from models.training.fit import FitPlan
from models.training.lesion_recipe import Recipe
from models.training.lesion_training import LesionRequest, train_lesions
from models.training.mr_brain_flair import RECIPE as MR_BRAIN_FLAIR
from models.training.phantom_recipes import MR_PHANTOM_FLAIR, US_PHANTOM_LESION, XR_PHANTOM_OPACITY
from models.training.progress import logged
from models.training.us_breast_lesion import RECIPE as US_BREAST_LESION
from models.training.xr_chest_opacity import RECIPE as XR_CHEST_OPACITY
from triage.errors import AcuityError

DONE, FAILED, WRONG_INPUT = 0, 1, 2
DEMONSTRATORS = (US_PHANTOM_LESION, MR_PHANTOM_FLAIR, XR_PHANTOM_OPACITY)
RECIPES = (US_BREAST_LESION, MR_BRAIN_FLAIR, XR_CHEST_OPACITY, *DEMONSTRATORS)
SHIPPED = Path(__file__).parents[1] / "bundles"

Train: TypeAlias = Callable[[argparse.Namespace], Any]

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the recipe that is named; its report goes to standard output as one JSON document."""
    parser = argparse.ArgumentParser(prog="acuity-train", description="Train a model from its data set.")
    recipes = parser.add_subparsers(dest="recipe", required=True)
    _add_head_ct(_with_common(recipes.add_parser(NAME, help="intracranial haemorrhage on head CT")))
    for recipe in RECIPES:
        _add_lesions(_with_common(recipes.add_parser(recipe.name, help=recipe.task)), recipe)
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    run: Train = chosen.run
    try:
        report = run(chosen)
    except AcuityError as problem:
        sys.stderr.write(f"{problem}\n")
        return WRONG_INPUT
    sys.stdout.write(json.dumps(asdict(report), indent=2) + "\n")
    return DONE


def _with_common(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--data", type=Path, required=True, help="folder with dataset.toml, labels.csv and images")
    parser.add_argument("--out", type=Path, help="the bundle's folder; default: the one in this package")
    parser.add_argument("--kept", type=Path, help="folder for the networks of finished folds; default: beside --out")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="data sets that the gate should refuse")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    return parser


def _add_head_ct(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--phantoms", type=Path, help="such a folder with simulated heads, which the gate lets through")
    parser.add_argument("--epochs", type=int, default=FitPlan().epochs, help="default: %(default)s")
    parser.add_argument("--slices-per-epoch", type=int, default=FitPlan().slices_per_epoch, help="default: %(default)s")
    parser.add_argument("--folds", type=int, default=5, help="default: %(default)s")
    parser.set_defaults(run=_train_head_ct)


def _add_lesions(parser: argparse.ArgumentParser, recipe: Recipe) -> None:
    parser.set_defaults(run=lambda chosen: _train_lesions(chosen, recipe))


def _train_head_ct(chosen: argparse.Namespace) -> Any:
    bundle = chosen.out or SHIPPED / NAME
    request = Request(
        data=chosen.data,
        bundle_folder=bundle,
        kept=chosen.kept or _kept_beside(bundle),
        phantoms=chosen.phantoms,
        others=tuple(chosen.others),
        device=chosen.device,
        folds=chosen.folds,
        plan=FitPlan(epochs=chosen.epochs, slices_per_epoch=chosen.slices_per_epoch),
    )
    return train(request, logged)


def _train_lesions(chosen: argparse.Namespace, recipe: Recipe) -> Any:
    bundle = chosen.out or SHIPPED / recipe.name
    request = LesionRequest(
        recipe=recipe,
        data=chosen.data,
        bundle_folder=bundle,
        kept=chosen.kept or _kept_beside(bundle),
        others=tuple(chosen.others),
        device=chosen.device,
    )
    return train_lesions(request, logged)


def _kept_beside(bundle: Path) -> Path:
    return bundle.with_name(f".{bundle.name}-folds")
