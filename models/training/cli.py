"""`acuity-train`: train a shipped model again from its data set."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from models.training.bundle_files import NAME
from models.training.ct_head_haemorrhage import Request, train
from models.training.fit import FitPlan
from triage.errors import AcuityError

DONE, FAILED, WRONG_INPUT = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the recipe that is named; its report goes to standard output as one JSON document."""
    parser = argparse.ArgumentParser(prog="acuity-train", description="Train a model from its data set.")
    recipes = parser.add_subparsers(dest="recipe", required=True)
    head = recipes.add_parser(NAME, help="intracranial haemorrhage on head CT")
    head.add_argument("--data", type=Path, required=True, help="folder with dataset.toml, labels.csv and images")
    head.add_argument("--phantoms", type=Path, help="folder of the same form with simulated heads")
    head.add_argument("--out", type=Path, help="the bundle's folder; default: the one in this package")
    head.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    head.add_argument("--epochs", type=int, default=FitPlan().epochs, help="default: %(default)s")
    head.add_argument("--slices-per-epoch", type=int, default=FitPlan().slices_per_epoch, help="default: %(default)s")
    head.add_argument("--folds", type=int, default=5, help="default: %(default)s")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    shipped = Path(__file__).parents[1] / "bundles" / NAME
    request = Request(
        data=chosen.data,
        bundle_folder=chosen.out or shipped,
        phantoms=chosen.phantoms,
        device=chosen.device,
        folds=chosen.folds,
        plan=FitPlan(epochs=chosen.epochs, slices_per_epoch=chosen.slices_per_epoch),
    )
    try:
        report = train(request)
    except AcuityError as problem:
        sys.stderr.write(f"{problem}\n")
        return WRONG_INPUT
    sys.stdout.write(json.dumps(asdict(report), indent=2) + "\n")
    return DONE
