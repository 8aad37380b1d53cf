"""The options of `acuity drift` and `acuity queue`; what they do stands in `deploy.drifting` and `deploy.queueing`."""

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeAlias, TypeVar

from deploy.written_numbers import count, number

Parser = TypeVar("Parser", bound=argparse.ArgumentParser)
Command: TypeAlias = Callable[[argparse.Namespace], int]


def add_drift(verbs: "argparse._SubParsersAction[Parser]", printing: Parser) -> None:
    """Add the actions of `drift`."""
    drift = verbs.add_parser("drift", help="change over time").add_subparsers(required=True, metavar="ACTION")
    design = drift.add_parser("design", parents=[printing], help="false alarms and delay of a chart, or its limit")
    _add_chart(design)
    design.add_argument("--streams", type=int, default=1, metavar="N", help="so many charts share --arl0 (default: 1)")
    design.set_defaults(run=_later("drifting", "design"))
    chart = drift.add_parser("chart", parents=[printing], help="run a chart over a series")
    chart.add_argument("series", type=Path, metavar="S.csv", help="columns time,value or time,events,trials")
    _add_chart(chart)
    chart.add_argument("--mean", type=number, default=None, help="target (default: values are standardised already)")
    chart.add_argument("--sd", type=number, default=None, help="standard deviation of a value around the target")
    chart.add_argument(
        "--baseline", type=int, default=None, metavar="N", help="estimate the target from the first N rows"
    )
    chart.add_argument("--adjust", action="store_true", help="widen limits for an estimated target (bootstrap)")
    chart.add_argument("--guarantee", type=number, default=0.9, metavar="P", help="share of baselines that keep the "
                       "false-alarm interval with --adjust (default: 0.9)")  # fmt: skip
    chart.add_argument("--seed", type=count, default=1, metavar="S", help="of the bootstrap (default: 1)")
    chart.set_defaults(run=_later("drifting", "chart"))
    _add_label_free(drift.add_parser("label-free", parents=[printing], help="performance without labels"))
    rehearse = drift.add_parser("rehearse", parents=[printing], help="months of trouble against the monitor")
    rehearse.add_argument("scenario", type=Path, metavar="SCENARIO.toml",
                          help="a file, the name of a shipped one, or all of these")  # fmt: skip
    rehearse.add_argument("--seed", type=count, default=None, metavar="S", help="in place of the scenario's")
    rehearse.set_defaults(run=_later("rehearsing", "run"))
    verify = drift.add_parser("verify", parents=[printing], help="false alarms of many quiet years against the design")
    verify.add_argument("scenario", type=Path, nargs="?", default=Path("small"), metavar="SCENARIO.toml",
                        help="file or name of a shipped one; its troubles are left out (default: small)")  # fmt: skip
    verify.add_argument("--sites", type=int, default=20, metavar="N", help="so many departments (default: 20)")
    verify.add_argument("--seed", type=count, default=1, metavar="S", help="of the first of them (default: 1)")
    verify.set_defaults(run=_later("rehearsing", "verify"))
    explain = drift.add_parser("explain", parents=[printing], help="what differs since the change of an alarm")
    explain.add_argument("number", type=int, metavar="NUMBER", help="as `alarms list` shows it")
    explain.set_defaults(run=_later("drift_watch", "explain"))
    status = drift.add_parser("status", parents=[printing], help="every stream of the live platform")
    status.set_defaults(run=_later("drift_watch", "status"))


def add_surveillance(verbs: "argparse._SubParsersAction[Parser]", printing: Parser) -> None:
    """Add `surveillance report`."""
    actions = verbs.add_parser("surveillance", help="what is reported after go-live").add_subparsers(
        required=True, metavar="ACTION"
    )
    report = actions.add_parser("report", parents=[printing], help="a period as page, PDF, JSON and records")
    report.add_argument("--from", dest="first", required=True, metavar="DATE", help="first day")
    report.add_argument("--to", dest="last", required=True, metavar="DATE", help="last day")
    report.add_argument("--out", type=Path, required=True, metavar="OUT", help="folder to write to")
    report.add_argument("--pdf", action="store_true", help="write report.pdf as well")
    for name in ("sensitivity", "specificity"):
        report.add_argument(
            f"--{name}", type=number, default=None, metavar="X", help="claim that labels are held against"
        )
    report.set_defaults(run=_later("surveying", "report"))


def add_queue(verbs: "argparse._SubParsersAction[Parser]", printing: Parser) -> None:
    """Add `queue wait`."""
    queue = verbs.add_parser("queue", help="how long studies wait").add_subparsers(required=True, metavar="ACTION")
    wait = queue.add_parser("wait", parents=[printing], help="mean waits with and without an AI that flags")
    for name, default, text in (
        ("--traffic", None, "share of the readers' time that is taken, below 1"),
        ("--prevalence", None, "share of positives among studies that do not interrupt"),
        ("--sensitivity", None, "of the AI"),
        ("--specificity", None, "of the AI"),
        ("--minutes-positive", 10.0, "mean reading time of a positive study"),
        ("--minutes-negative", 10.0, "mean reading time of a negative study"),
        ("--interrupting", 0.0, "share of studies that go before all others"),
        ("--minutes-interrupting", 5.0, "mean reading time of an interrupting study"),
        ("--target-interrupting", 15.0, "edf: minutes from arrival to deadline"),
        ("--target-flagged", 60.0, "edf: minutes from arrival to deadline"),
        ("--target-unflagged", 240.0, "edf: minutes from arrival to deadline"),
    ):
        told = text if default is None else f"{text} (default: {default:g})"
        wait.add_argument(name, type=number, required=default is None, default=default, metavar="X", help=told)
    wait.add_argument("--readers", type=int, default=1, metavar="N", help="how many readers (default: 1)")
    wait.add_argument("--discipline", choices=("non-preemptive", "preemptive", "edf", "fifo"), default="non-preemptive",
                      help="what is read next (default: non-preemptive)")  # fmt: skip
    wait.add_argument("--method", choices=("exact", "simulate"), default=None,
                      help="default: exact where a formula is, else simulate")  # fmt: skip
    wait.add_argument("--seed", type=count, default=1, metavar="S", help="of the simulation (default: 1)")
    wait.add_argument("--replications", type=int, default=20, metavar="N", help="independent runs (default: 20)")
    wait.set_defaults(run=_later("queueing", "wait"))


def _add_chart(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--chart", choices=("cusum", "ewma", "bernoulli-cusum"), required=True, help="kind of chart")
    parser.add_argument("--k", type=number, default=None, help="cusum: reference value in sd (default: half the shift)")
    parser.add_argument("--lambda", dest="weight", type=number, default=None, help="ewma: weight of the newest value")
    parser.add_argument("--h", "--limit", dest="limit", type=number, default=None,
                        help="limit: in sd (cusum), sd of the average (ewma), log-likelihood")  # fmt: skip
    parser.add_argument("--p0", type=number, default=None, help="bernoulli-cusum: rate in control")
    parser.add_argument("--p1", type=number, default=None, help="bernoulli-cusum: rate to be found")
    parser.add_argument("--trials", type=int, default=None, metavar="N", help="trials in each row (default: 1)")
    parser.add_argument("--sided", type=int, choices=(1, 2), default=None,
                        help="1 one direction, 2 both (default: 2, bernoulli-cusum 1)")  # fmt: skip
    parser.add_argument("--arl0", type=number, default=None, help="false-alarm interval in rows: solves for the limit")
    parser.add_argument("--shift", type=number, default=None,
                        help="change whose delay is wanted (default: 1 sd, bernoulli-cusum: up to p1)")  # fmt: skip
    parser.add_argument("--within", type=number, default=None, metavar="N",
                        help="smallest change that is found within N rows on average")  # fmt: skip


def _add_label_free(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reference", type=Path, required=True, metavar="R.csv", help="columns truth,score")
    parser.add_argument("--production", type=Path, required=True, metavar="P.csv", help="columns score[,period]")
    parser.add_argument("--threshold", type=number, default=0.5, help="a score flags from here on (default: 0.5)")
    parser.add_argument("--bootstrap", type=int, default=500, metavar="B", help="draws for intervals (default: 500)")
    parser.add_argument("--seed", type=count, default=1, metavar="S", help="of the bootstrap (default: 1)")
    parser.set_defaults(run=_later("drifting", "label_free"))


def _later(module: str, function: str) -> Command:
    """Return a command whose module is imported when it runs."""
    return lambda options: int(getattr(import_module(f"deploy.{module}"), function)(options))
