"""What the commands of `acuity stats` do: read the files, print the figures."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping

from triage.errors import InvalidSetting
from validation.intervals import clopper_pearson, wilson
from validation.statistics.calibrate_document import calibrate_document
from validation.statistics.compare_document import CompareRequest, compare_document
from validation.statistics.froc_document import froc_document
from validation.statistics.mrmc_document import mrmc_document, read_ratings
from validation.statistics.multiplicity import benjamini_hochberg, bonferroni, holm
from validation.statistics.recalibration import Method
from validation.statistics.roc_document import RocRequest, roc_document
from validation.statistics.sample_size_document import Plan, sample_size_document
from validation.statistics.scored_cases import read_scored_cases
from validation.statistics.segmentation_document import segmentation_document


def roc(options: argparse.Namespace) -> int:
    """Print how well scores tell positives from negatives."""
    if options.prevalence is not None and options.threshold is None:
        raise InvalidSetting("stats roc: --prevalence alone, needed --threshold beside it")
    request = RocRequest(
        threshold=options.threshold,
        prevalence=options.prevalence,
        net_benefit=options.net_benefit,
        specificity=options.pauc,
        bootstrap=options.bootstrap,
        seed=options.seed,
    )
    return _print(options, roc_document(read_scored_cases(options.scores), request))


def compare(options: argparse.Namespace) -> int:
    """Print whether two scores differ."""
    request = CompareRequest(paired=not options.unpaired, margin=options.margin, threshold=options.threshold)
    return _print(options, compare_document(read_scored_cases(options.a), read_scored_cases(options.b), request))


def calibrate(options: argparse.Namespace) -> int:
    """Print a curve from scores to probabilities."""
    cases = read_scored_cases(options.scores)
    return _print(options, calibrate_document(cases, Method(options.method), options.seed))


def proportion(options: argparse.Namespace) -> int:
    """Print the intervals of a proportion."""
    x, n = options.successes, options.trials
    if n < 1 or x > n:
        raise InvalidSetting(f"stats proportion: found {x} of {n}, needed N of at least 1 and X of at most N")
    exact, score = clopper_pearson(x, n, options.level), wilson(x, n, options.level)
    return _print(options, {"value": x / n, "level": options.level, "clopper_pearson": exact, "wilson": score})


def adjust(options: argparse.Namespace) -> int:
    """Print adjusted p-values in the order given."""
    given = options.p_values
    adjusted = {"holm": holm(given), "bh": benjamini_hochberg(given), "bonferroni": bonferroni(given)}
    return _print(options, adjusted)


def froc(options: argparse.Namespace) -> int:
    """Print how many lesions are found at how many false positives."""
    return _print(options, froc_document(options.truth, options.predictions, options.cases, options.seed))


def segmentation(options: argparse.Namespace) -> int:
    """Print how well masks cover the true ones."""
    document = segmentation_document(options.truth, options.predictions, options.spacing, options.tolerance)
    return _print(options, document)


def mrmc(options: argparse.Namespace) -> int:
    """Print whether modalities differ over several readers."""
    return _print(options, mrmc_document(read_ratings(options.ratings)))


def sample_size(options: argparse.Namespace) -> int:
    """Print how many cases a study needs."""
    margin = options.margin
    if options.non_inferiority is not None and options.non_inferiority is not True:
        margin = options.non_inferiority
    if options.non_inferiority is True and margin is None:
        raise InvalidSetting("stats sample-size: --non-inferiority without a margin, needed one")
    plan = Plan(
        sensitivity=options.sensitivity,
        specificity=options.specificity,
        auc=options.auc,
        null_auc=options.null_auc,
        half_width=options.half_width,
        power=options.power,
        margin=margin,
        discordant=options.discordant,
        correlation=options.correlation,
        ratio=options.ratio,
        prevalence=options.prevalence,
    )
    return _print(options, sample_size_document(plan))


def _print(options: argparse.Namespace, document: Mapping[str, object]) -> int:
    if options.json:
        json.dump(document, sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(document, ""))
    return 0


def _lines(document: Mapping[str, object], indent: str) -> Iterator[str]:
    width = max((len(name) for name in document), default=0)
    for name, value in document.items():
        if isinstance(value, Mapping):
            if value:
                yield f"{indent}{name}"
                yield from _lines(value, f"{indent}  ")
        elif isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value):
            for number, one in enumerate(value, start=1):
                yield f"{indent}{name} {number}"
                yield from _lines(one, f"{indent}  ")
        else:
            yield f"{indent}{name:{width}}  {_word(value)}"


def _word(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_word, value)) + "]"
    return str(value)
