"""The words of `acuity validate lock`, `compare` and `feedback`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from deploy.written_numbers import count

Later: TypeAlias = Callable[[str, str], Callable[[argparse.Namespace], int]]


def add_gate(validate: Any, printing: argparse.ArgumentParser, later: Later) -> None:
    """Add the actions to `validate`; `later` gives the command of a module's function."""
    lock = validate.add_parser("lock", parents=[printing], help="fix the plan of a comparison before the data are used")
    lock.add_argument("plan", type=Path, metavar="PLAN.toml", help="criteria, margins, subgroups")
    lock.set_defaults(run=later("gate", "lock_plan"))
    compare = validate.add_parser("compare", parents=[printing], help="decide by a locked plan whether B may replace A")
    runs = "name or folder of a bundle, or the folder of an earlier `validate run`"
    compare.add_argument("a", metavar="A", help=f"the reference: {runs}")
    compare.add_argument("b", metavar="B", help=f"the candidate: {runs}")
    compare.add_argument("--data", type=Path, required=True, metavar="DIR", help="labelled data set of both")
    compare.add_argument("--plan", type=Path, required=True, metavar="PLAN.toml", help="the locked plan")
    compare.add_argument("--out", type=Path, required=True, metavar="OUT", help="folder for the verdict and new runs")
    compare.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where new runs go (default: cpu)")
    compare.add_argument("--pdf", action="store_true", help="write the verdict as PDF, too")
    compare.set_defaults(run=later("gate", "compare"))
    feedback = validate.add_parser("feedback", parents=[printing], help="what readers and final reports say, as truth")
    feedback.add_argument("--model", default="", metavar="MODEL", help="one model (default: every active one)")
    feedback.add_argument("--reports", type=Path, metavar="CSV", help="final reports: StudyInstanceUID,label (1, 0)")
    feedback.add_argument(
        "--sample", type=count, default=20, metavar="N", help="how many studies to look at (default: 20)"
    )
    feedback.add_argument("--sensitivity", type=_share, default=0.9, metavar="P",
                          help="that a proposed threshold keeps (default: 0.9)")  # fmt: skip
    feedback.add_argument(
        "--write", type=Path, metavar="FILE.zip", help="write the proposal as a new version of --model"
    )
    feedback.set_defaults(run=later("feedback", "report_feedback"))
    for one in (lock, compare):
        one.add_argument("--by", default="", metavar="PERSON", help="who does it (default: this system's account)")


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"found {text}, needed a share above 0 and up to 1")
    return value
