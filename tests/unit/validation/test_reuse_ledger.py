"""The ledger counts decisions on a set, each once, and refuses what it cannot read."""

from dataclasses import replace

import pytest

from triage.errors import InvalidDataset
from validation.reuse_ledger import LEDGER_FILE, Use, Uses, record_use, uses_of

USE = Use("d1", "set", "bundle", "b1", "suite one", True, "2026-01-02T03:04:05+00:00")


def test_uses_are_counted_by_the_digest_of_the_set(tmp_path):
    later = "2026-02-02T03:04:05+00:00"
    for use in (
        replace(USE, at=later, bundle_digest="b2"),
        USE,
        replace(USE, at=later),
        replace(USE, passed=False),
        replace(USE, by="suite two"),
        replace(USE, dataset_digest="d2"),
    ):
        record_use(tmp_path / "home", use)

    # The third is the second again, and the last is of another set.
    assert uses_of(tmp_path / "home", "d1") == Uses(4, bundles=2, plans=2, first_at="2026-01-02T03:04:05+00:00")
    assert uses_of(tmp_path / "home", "d3") == Uses(0, 0, 0, None)


def test_a_ledger_that_does_not_parse_is_named(tmp_path):
    (tmp_path / LEDGER_FILE).write_text('{"dataset": "x"}\n')

    with pytest.raises(InvalidDataset, match="needed one use of a test set per line"):
        uses_of(tmp_path, "d1")
