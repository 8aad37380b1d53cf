"""`acuity validate suite` and `acuity dataset check`: their options, and what they do."""

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeVar

Parser = TypeVar("Parser", bound=argparse.ArgumentParser)
MOST_WORKERS = 64
Command = Callable[[argparse.Namespace], int]


def add_suite(validate: "argparse._SubParsersAction[Parser]", printing: Parser) -> None:
    """Add `validate suite`."""
    suite = validate.add_parser("suite", parents=[printing], help="run a suite, and say whether the bundle passes")
    suite.add_argument("suite", metavar="SUITE", help="suite file, or the name of a shipped bundle")
    suite.add_argument("--bundle", default=None, metavar="NAME", help="model bundle (default: as the suite says)")
    suite.add_argument("--data", type=Path, default=None, metavar="DIR", help="data set (default: as the suite says)")
    suite.add_argument("--out", type=Path, required=True, metavar="OUT", help="folder for report and kept answers")
    suite.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where the model runs (default: cpu)")
    suite.add_argument("--pdf", action="store_true", help="write the report as PDF, too")
    add_workers(suite)
    suite.set_defaults(run=_later("validate_suite"))


def add_dataset_check(dataset: "argparse._SubParsersAction[Parser]", printing: Parser) -> None:
    """Add `dataset check`."""
    check = dataset.add_parser("check", parents=[printing], help="whether a data set is whole and its parts are apart")
    check.add_argument("folder", type=Path, metavar="DIR", help="data set")
    check.add_argument("--split", default=None, metavar="COLUMN", help="column that names the part of a row")
    check.add_argument("--against", type=Path, default=None, metavar="DIR", help="another set that must be apart")
    check.set_defaults(run=_later("dataset_check"))


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add `--workers` and `--on-platform`, who answers."""
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--workers", type=_workers, default=1, metavar="N", help="processes that answer, each with a model (default: 1)"
    )
    who.add_argument("--on-platform", action="store_true", help="the workers of the running platform answer")


def _workers(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"found {text}, needed 1 to {MOST_WORKERS}")
    return int(text)


def _later(function: str) -> Command:
    return lambda options: int(getattr(import_module("deploy.suite_running"), function)(options))
