"""What `acuity drift` does: design a chart, run it over a file, estimate performance without labels."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import TypeAlias

import numpy as np

from triage.errors import InvalidDesign
from validation.drift.baselines import (
    NormalBaseline,
    adjusted,
    adjusted_for_rate,
    kept_run_length,
    normal_baseline,
    rate_baseline,
    warning_about,
)
from validation.drift.charts import ChartRun, run_cusum, run_events, run_ewma
from validation.drift.designs import LARGEST_SHIFT, BernoulliCusum, Cusum, Ewma
from validation.drift.label_free import ASSUMPTIONS, METRICS, PeriodFigures, estimate_periods
from validation.drift.run_length import LONGEST
from validation.drift.scored_cases import read_production, read_reference
from validation.drift.series import Values, read_events, read_values

Answer: TypeAlias = dict[str, object]

UNSOLVED = 1.0
"""Stands in for a limit until the one for `--arl0` is found."""

STANDARDISED = "neither --mean and --sd nor --baseline: values are taken as standard deviations from the target"


def design(options: argparse.Namespace) -> int:
    """Print run lengths of a chart, its limit, and the smallest change that it finds in time."""
    _require(options.streams >= 1, f"streams: found {options.streams}, needed 1 or more")
    made = _events_chart(options, options.p0, 1) if _counts_events(options) else _normal_chart(options)
    if options.arl0 is not None:
        made = made.designed(options.arl0 * options.streams)
    answer = _described(made, options)
    if options.streams > 1:
        combined = made.run_length(made.in_control) / options.streams
        answer |= {"streams": options.streams, "combined_arl0": combined}
    _print(options, answer)
    return 0


def chart(options: argparse.Namespace) -> int:
    """Print the statistic of a series row by row, the first alarm and the estimated change point."""
    _require(0.5 <= options.guarantee < 1, f"guarantee: found {options.guarantee:g}, needed 0.5 or more and below 1")
    _require(not options.adjust or options.baseline is not None, "adjust: limits are widened for a --baseline")
    _print(options, _chart_of_events(options) if _counts_events(options) else _chart_of_values(options))
    return 0


def label_free(options: argparse.Namespace) -> int:
    """Print what scores alone promise about each period, with and without the prevalence corrected."""
    reference = read_reference(options.reference)
    production = read_production(options.production)
    found = estimate_periods(reference.cases, production.periods, options.threshold, options.bootstrap, options.seed)
    answer = {
        "threshold": options.threshold,
        "reference": {
            "n": len(reference.cases.truth),
            "n_positive": int(reference.cases.truth.sum()),
            "prevalence": float(reference.cases.truth.mean()),
            "left_out": reference.left_out,
        },
        "left_out": production.left_out,
        "periods": [_period(one) for one in found],
        "assumptions": ASSUMPTIONS,
    }
    _print(options, answer)
    return 0


def _period(found: PeriodFigures) -> Answer:
    figures = {
        name: _estimate(found.corrected[name])
        | {
            "with_prior_correction": _estimate(found.corrected[name]),
            "without_prior_correction": _estimate(found.uncorrected[name]),
        }
        for name in ("prevalence", *METRICS)
    }
    return {"period": found.period, "n": found.n, **figures, "performance_alarms": list(found.alarms)}


def _estimate(found: tuple[float | None, tuple[float, float] | None]) -> Answer:
    value, interval = found
    return {"value": value, "ci95": None if interval is None else list(interval)}


def _chart_of_values(options: argparse.Namespace) -> Answer:
    made = _normal_chart(options)
    series = read_values(options.series)
    baseline, notes = _baseline(options, series), []
    if options.arl0 is not None:
        made = made.designed(options.arl0)
    wanted = options.arl0 or made.run_length(0.0)
    said: Answer = asdict(baseline)
    if baseline.points is None and options.mean is None:
        notes.append(STANDARDISED)
    if baseline.points is not None and options.adjust:
        made = adjusted(made, wanted, baseline.points, options.guarantee, options.seed)
    if baseline.points is not None:
        said["kept_arl0"] = kept_run_length(made, baseline.points, options.guarantee, options.seed)
        notes += [] if options.adjust else warning_about(baseline.points)
    values = baseline.standardised(series)
    run = run_ewma(made, values, baseline.end) if isinstance(made, Ewma) else run_cusum(made, values, baseline.end)
    return _described(made, options) | {"baseline": said, "missing": series.missing, "notes": notes} | _said(run)


def _chart_of_events(options: argparse.Namespace) -> Answer:
    _require(options.mean is None and options.sd is None, "mean, sd: a chart of events has --p0, or --baseline")
    series = read_events(options.series)
    notes: list[str] = []
    p0, start, said = options.p0, 0, None
    if options.baseline is not None:
        _require(p0 is None, "p0: given and to be estimated from --baseline, needed one of them")
        estimated = rate_baseline(series, options.baseline)
        p0, start, said = estimated.rate, estimated.end, asdict(estimated)
        notes += [] if options.adjust else warning_about(estimated.trials)
    usual = float(np.median(series.trials[series.trials > 0])) if series.missing < len(series.trials) else 1.0
    made = _events_chart(options, p0, round(usual))
    if options.arl0 is not None:
        made = made.designed(options.arl0)
    if options.adjust:
        wanted = options.arl0 or made.run_length(made.p0)
        made = adjusted_for_rate(made, wanted, estimated.trials, options.guarantee)
    run = run_events(made, series, start)
    return _described(made, options) | {"baseline": said, "missing": series.missing, "notes": notes} | _said(run)


def _counts_events(options: argparse.Namespace) -> bool:
    return bool(options.chart == "bernoulli-cusum")


def _normal_chart(options: argparse.Namespace) -> Cusum | Ewma:
    _require(options.p0 is None and options.p1 is None, "p0, p1: are rates of a bernoulli-cusum")
    if options.chart == "ewma":
        _require(options.k is None, "k: is the reference value of a cusum")
        return Ewma(_given(options.weight, "lambda"), _limit(options), options.sided or 2)
    _require(options.weight is None, "lambda: is the weight of an ewma")
    k = abs(options.shift or 1.0) / 2 if options.k is None else options.k
    return Cusum(k, _limit(options), options.sided or 2)


def _events_chart(options: argparse.Namespace, p0: float | None, usual_trials: int) -> BernoulliCusum:
    _require(options.k is None and options.weight is None, "k, lambda: are constants of a cusum and of an ewma")
    trials = usual_trials if options.trials is None else options.trials
    return BernoulliCusum(_given(p0, "p0"), _given(options.p1, "p1"), _limit(options), options.sided or 1, trials)


def _limit(options: argparse.Namespace) -> float:
    _require((options.limit is None) != (options.arl0 is None), "limit: needed either --h (ewma: --limit) or --arl0")
    known = options.arl0 is None or 1 < options.arl0 < LONGEST
    _require(known, f"arl0: found {options.arl0}, needed more than 1 and less than {LONGEST:g}")
    return UNSOLVED if options.limit is None else float(options.limit)


def _given(value: float | None, name: str) -> float:
    if value is None:
        raise InvalidDesign(f"{name}: absent, needed for this chart")
    return value


def _baseline(options: argparse.Namespace, series: Values) -> NormalBaseline:
    given = options.mean is not None
    _require(given == (options.sd is not None), "mean, sd: needed both, or neither")
    _require(not (given and options.baseline is not None), "baseline: needed either it or --mean and --sd")
    _require(options.sd is None or options.sd > 0, f"sd: found {options.sd}, needed more than 0")
    if options.baseline is not None:
        return normal_baseline(series, options.baseline)
    return NormalBaseline(options.mean, options.sd, None, 0) if given else NormalBaseline(0.0, 1.0, None, 0)


def _described(made: Cusum | Ewma | BernoulliCusum, options: argparse.Namespace) -> Answer:
    constants = {"lambda" if name == "weight" else name: value for name, value in asdict(made).items()}
    shift = options.shift
    if shift is None:
        shift = made.p1 - made.p0 if isinstance(made, BernoulliCusum) else 1.0
    _require(abs(shift) <= LARGEST_SHIFT, f"shift: found {shift:g}, needed at most {LARGEST_SHIFT:g} either way")
    level = made.in_control + shift
    if isinstance(made, BernoulliCusum):
        _require(0 <= level <= 1, f"shift: found {shift:g}, needed a rate of events from 0 to 1, not {level:g}")
    lengths = {"arl0": made.run_length(made.in_control), "arl1": made.run_length(level)}
    answer: Answer = {"chart": options.chart, **constants, **lengths, "shift": shift, "method": made.method}
    if options.within is not None:
        answer["smallest_change"] = {"within": options.within, "change": made.smallest_change(options.within)}
    return answer


def _said(run: ChartRun) -> Answer:
    lists = {name: None if path is None else path.tolist() for name, path in (
        ("statistic", run.statistic), ("statistic_upper", run.upper), ("statistic_lower", run.lower))}  # fmt: skip
    return {
        "alarm_index": run.alarm_index,
        "alarm_side": run.alarm_side,
        "change_point_index": run.change_point_index,
        "first_changed_index": run.first_changed_index,
        "control_limit": run.limit,
        **lists,
    }


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise InvalidDesign(message)


def _print(options: argparse.Namespace, answer: object) -> None:
    sys.stdout.write(json.dumps(answer, indent=None if options.json else 2, allow_nan=False) + "\n")
