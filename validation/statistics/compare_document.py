"""What `acuity stats compare` says about two scores of the same cases, as one JSON object."""

from dataclasses import asdict, dataclass

from validation.statistics.comparison import (
    NON_INFERIORITY_ALPHA,
    non_inferiority,
    paired_difference,
    unpaired_difference,
)
from validation.statistics.proportion_differences import (
    PairedCounts,
    mcnemar,
    newcombe_independent,
    newcombe_paired,
)
from validation.statistics.scored_cases import ScoredCases, Truth, in_the_order_of

LEVEL = 0.95
Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """How to compare; None asks for nothing.

    Attributes:
        paired: whether both tables hold the same cases; otherwise they are independent.
        margin: by how much B may be worse.
        threshold: a score that flags, in both.
    """

    paired: bool = True
    margin: float | None = None
    threshold: float | None = None


def compare_document(a: ScoredCases, b: ScoredCases, request: CompareRequest) -> Document:
    """Return the figures; differences are B minus A; what cannot be given is null, and `reasons` says why.

    Raises:
        InvalidDataset: paired, and the two do not hold the same cases.
    """
    reasons: dict[str, str] = {}
    b = in_the_order_of(a, b) if request.paired else b
    found = (paired_difference if request.paired else unpaired_difference)(a, b, LEVEL)
    if found.difference is None:
        reasons["difference"] = "cases of one kind alone have no AUC, needed positives and negatives"
    elif found.standard_error is None:
        reasons["ci95"] = "one case or cluster of a kind has no variance, needed two of each"
    elif found.standard_error == 0.0:
        reasons["z"] = "the variance of the difference is 0: the cases allow no test"
    document: Document = {
        "paired": request.paired,
        "n": len(a.names),
        "n_positive": int(a.truth.sum()),
        "auc_a": found.auc_a,
        "auc_b": found.auc_b,
        "difference": found.difference,
        "standard_error": found.standard_error,
        "ci95": found.interval,
        "z": found.z,
        "p": found.p,
    }
    if request.margin is not None:
        tested = non_inferiority(found, request.margin)
        document["non_inferiority"] = asdict(tested) | {"alpha_one_sided": NON_INFERIORITY_ALPHA}
        if tested.z is None:
            reasons["non_inferiority"] = "without a variance nothing is shown"
    if request.threshold is not None:
        document |= _at_threshold(a, b, request.threshold, request.paired, reasons)
    return document | {"reasons": reasons}


def _at_threshold(a: ScoredCases, b: ScoredCases, threshold: float, paired: bool, reasons: dict[str, str]) -> Document:
    right_a, right_b = ((one.scores >= threshold) == one.truth for one in (a, b))
    document: Document = {"threshold": threshold}
    if paired:
        document["mcnemar"] = asdict(mcnemar(int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())))
        if a.clusters is not None:
            reasons["mcnemar"] = "holds for independent cases; clusters are not taken into account"
    else:
        document["mcnemar"] = None
        reasons["mcnemar"] = "needed the same cases in both tables"
    for name, positive in (("sensitivity", True), ("specificity", False)):
        of_a, of_b = right_a[a.truth == positive], right_b[b.truth == positive]
        document[name] = _rate(of_a, of_b, paired)
        if not len(of_a) or not len(of_b):
            reasons[name] = "no case to divide by"
    return document


def _rate(right_a: Truth, right_b: Truth, paired: bool) -> Document:
    if not len(right_a) or not len(right_b):
        return dict.fromkeys(("a", "b", "difference", "newcombe"))
    rates: Document = {
        "a": float(right_a.mean()),
        "b": float(right_b.mean()),
        "difference": float(right_b.mean() - right_a.mean()),
    }
    if not paired:
        counts = (int(right_a.sum()), len(right_a), int(right_b.sum()), len(right_b))
        return rates | {"newcombe": newcombe_independent(*counts, LEVEL)}
    table = PairedCounts(
        both=int((right_a & right_b).sum()),
        only_a=int((right_a & ~right_b).sum()),
        only_b=int((~right_a & right_b).sum()),
        neither=int((~right_a & ~right_b).sum()),
    )
    test = asdict(mcnemar(int(table.only_a), int(table.only_b)))
    return rates | {"newcombe": newcombe_paired(table, LEVEL), "mcnemar": test}
