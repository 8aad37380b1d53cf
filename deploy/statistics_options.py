"""The words of `acuity stats`: every statistic on files, and its options."""

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from deploy.written_numbers import count, not_negative, number, open_share, share

Parser = TypeVar("Parser", bound=argparse.ArgumentParser)
Command = Callable[[argparse.Namespace], int]


def add_statistics(verbs: "argparse._SubParsersAction[Parser]", printing: Parser) -> None:
    """Add `stats` and its commands to the command line."""
    stats = verbs.add_parser("stats", help="statistics on files").add_subparsers(required=True, metavar="STATISTIC")
    _add_scores(stats, printing)
    _add_numbers(stats, printing)
    _add_detection(stats, printing)
    _add_planning(stats, printing)


def _add_scores(stats: "argparse._SubParsersAction[Parser]", printing: Parser) -> None:
    roc = stats.add_parser("roc", parents=[printing], help="how well scores tell positives from negatives")
    _table(roc, "scores", "CSV with case,truth,score and, if cases share patients, cluster")
    roc.add_argument("--threshold", type=number, metavar="T", help="add counts and rates; a score of T flags")
    roc.add_argument("--prevalence", type=open_share, metavar="P", help="add PPV and NPV there; needs --threshold")
    roc.add_argument("--net-benefit", type=_open_shares, default=(), metavar="P,…", help="threshold probabilities")
    roc.add_argument("--pauc", type=_range, metavar="LOW,HIGH", help="add the partial AUC in a range of specificity")
    roc.add_argument("--bootstrap", action="store_true", help="add percentile intervals of 2000 samples")
    _seed(roc)
    roc.set_defaults(run=_later("roc"))
    compare = stats.add_parser("compare", parents=[printing], help="whether two scores of the same cases differ")
    _table(compare, "a", "CSV with case,truth,score")
    _table(compare, "b", "CSV with case,truth,score; differences are B minus A")
    compare.add_argument("--margin", type=open_share, metavar="M", help="test that B is not worse than A by M")
    compare.add_argument("--threshold", type=number, metavar="T", help="add McNemar and Newcombe; a score of T flags")
    compare.add_argument("--unpaired", action="store_true", help="the tables hold different, independent cases")
    compare.set_defaults(run=_later("compare"))
    calibrate = stats.add_parser("calibrate", parents=[printing], help="fit a curve from scores to probabilities")
    _table(calibrate, "scores", "CSV with case,truth,score")
    methods = ("temperature", "isotonic", "platt")
    calibrate.add_argument("--method", choices=methods, default="temperature", help="default: temperature")
    _seed(calibrate)
    calibrate.set_defaults(run=_later("calibrate"))


def _add_numbers(stats: "argparse._SubParsersAction[Parser]", printing: Parser) -> None:
    proportion = stats.add_parser("proportion", parents=[printing], help="the intervals of a proportion")
    proportion.add_argument("successes", type=count, metavar="X", help="how many")
    proportion.add_argument("trials", type=count, metavar="N", help="of how many, at least 1")
    proportion.add_argument("--level", type=open_share, default=0.95, help="of the intervals (default: 0.95)")
    proportion.set_defaults(run=_later("proportion"))
    adjust = stats.add_parser("adjust", parents=[printing], help="adjust p-values for there being several")
    adjust.add_argument("p_values", type=share, nargs="+", metavar="P", help="p-values, from 0 to 1")
    adjust.set_defaults(run=_later("adjust"))


def _add_detection(stats: "argparse._SubParsersAction[Parser]", printing: Parser) -> None:
    froc = stats.add_parser("froc", parents=[printing], help="lesions found against false positives per case")
    froc.add_argument("--truth", type=Path, required=True, metavar="CSV", help="lesions: case,x,y,z,radius")
    froc.add_argument("--predictions", type=Path, required=True, metavar="CSV", help="marks: case,x,y,z,score")
    froc.add_argument("--cases", type=Path, required=True, metavar="CSV", help="all cases: case")
    _seed(froc)
    froc.set_defaults(run=_later("froc"))
    masks = stats.add_parser("segmentation", parents=[printing], help="how well masks cover the true ones")
    masks.add_argument("--truth", type=Path, nargs="+", required=True, metavar="FILE", help="NIfTI or PNG")
    masks.add_argument("--predictions", type=Path, nargs="+", required=True, metavar="FILE", help="one for each truth")
    masks.add_argument("--spacing", type=_numbers, metavar="Z,Y,X", help="mm (default: as the NIfTI file says)")
    masks.add_argument("--tolerance", type=not_negative, default=1.0, metavar="MM", help="of the nsd (default: 1)")
    masks.set_defaults(run=_later("segmentation"))
    mrmc = stats.add_parser("mrmc", parents=[printing], help="whether modalities differ, over several readers")
    _table(mrmc, "ratings", "CSV with reader,modality,case,truth,rating")
    mrmc.set_defaults(run=_later("mrmc"))


def _add_planning(stats: "argparse._SubParsersAction[Parser]", printing: Parser) -> None:
    size = stats.add_parser("sample-size", parents=[printing], help="how many cases a study needs")
    for name, text in (
        ("--sensitivity", "expected"),
        ("--specificity", "expected"),
        ("--auc", "expected"),
        ("--half-width", "of the 95 %% interval that is wanted"),
        ("--power", "of the test that is wanted (default: 0.8)"),
        ("--margin", "of non-inferiority"),
        ("--discordant", "share of cases on which two readings of the same cases differ"),
        ("--prevalence", "share of positives among the cases that come"),
    ):
        size.add_argument(name, type=number, metavar="P", help=text)
    size.add_argument("--non-inferiority", type=number, nargs="?", const=True, metavar="M",
                      help="show that a rate or an AUC is not worse by M (or by --margin)")  # fmt: skip
    size.add_argument("--null-auc", type=number, default=0.5, metavar="P", help="to be told from (default: 0.5)")
    size.add_argument("--correlation", type=number, default=0.0, metavar="R", help="of two AUCs (default: 0)")
    size.add_argument("--ratio", type=number, default=1.0, metavar="K", help="negatives to a positive (default: 1)")
    size.set_defaults(run=_later("sample_size"))


def _table(parser: argparse.ArgumentParser, name: str, text: str) -> None:
    parser.add_argument(name, type=Path, metavar=f"{name.upper()}.csv", help=text)


def _seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=count, default=1, metavar="S", help="same seed, same draws (default: 1)")


def _later(function: str) -> Command:
    """Return a command whose module is imported when it runs: no command waits for the libraries of the others."""
    return lambda options: int(getattr(import_module("deploy.statistics_answers"), function)(options))


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(number(part) for part in text.split(","))


def _open_shares(text: str) -> tuple[float, ...]:
    return tuple(open_share(part) for part in text.split(","))


def _range(text: str) -> tuple[float, float]:
    ends = sorted(share(part) for part in text.split(","))
    if len(ends) != 2 or ends[0] == ends[1]:
        raise argparse.ArgumentTypeError(f"found {text!r}, needed two different specificities from 0 to 1")
    return (ends[0], ends[1])
