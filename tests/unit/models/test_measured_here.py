"""The section of a card that says what was measured here."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from models.evidence import MeasuredRun, MeasuredSuite, ReachedVerdict
from models.measured_here import measured_here, with_measured
from triage.findings import ModelIdentity

NOW = datetime(2026, 3, 4, tzinfo=UTC)
OLD, NEW = ModelIdentity("head", "1.0.0", "1" * 64), ModelIdentity("head", "2.0.0", "2" * 64)
POINTS = [
    {"name": "high_sensitivity", "active": False, "sensitivity": None, "specificity": None},
    {"name": "balanced", "active": True, "sensitivity": {"value": 0.8, "ci95": [0.7, 0.9]}, "specificity": None},
]
DOCUMENT = {
    "n_studies": 7,
    "study_auc": {"value": 0.9, "ci95": [0.8, 0.95]},
    "image_auc": None,
    "operating_points": POINTS,
}
RUN = MeasuredRun(NEW, "made", "d" * 64, NOW, "e" * 64, DOCUMENT)
CRITERIA = [
    {"part": "gate", "figure": "n_findings", "value": 1, "met": False},
    {"part": "probes", "figure": "n_findings", "value": 0, "met": True},
]
SUITE = MeasuredSuite(NEW, "head", "a" * 64, "made", "d" * 64, NOW, False, {"criteria": CRITERIA})
VERDICT = ReachedVerdict(NEW, OLD, "f" * 64, "d" * 64, False, True, "ann", NOW, {})


def test_the_newest_of_each_is_told_with_figures_intervals_and_what_failed():
    earlier = replace(RUN, measured_at=NOW - timedelta(days=9), document={})

    section = measured_here([RUN, earlier], [SUITE], [VERDICT])

    assert section.splitlines()[2:] == [
        "- Run on made (dddddddddddd), 2026-03-04: 7 studies; study AUC 0.900 (0.800 to 0.950), image AUC none, "
        "sensitivity 0.800 (0.700 to 0.900), specificity none.",
        "- Suite head on made (dddddddddddd), 2026-03-04: failed (gate n_findings: found 1).",
        "- Compared with head@1.0.0-111111111111, 2026-03-04: refused.",
    ]


def test_a_card_stays_as_it_is_where_nothing_was_measured():
    class Nothing:
        def runs(self, _limit, _digest=None):
            return []

        suites = verdicts = runs

    assert with_measured("# Card", Nothing(), NEW.digest) == "# Card"
