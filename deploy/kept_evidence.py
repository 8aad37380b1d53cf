"""Plans, runs and verdicts as this installation keeps them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.opened import opened_database
from deploy.settings import Settings
from models.evidence import MeasuredRun
from storage.database import connect
from storage.evidence import EvidenceRows
from validation.gate.cases import read_run
from validation.run import REPORT_FILE


@contextmanager
def opened_evidence(settings: Settings) -> Iterator[EvidenceRows]:
    """Give what is kept."""
    with opened_database(settings) as url:
        engine = connect(url)
        try:
            yield EvidenceRows(engine)
        finally:
            engine.dispose()


def record_run(rows: EvidenceRows, folder: Path) -> None:
    """Keep the run that was written to `folder`."""
    run, report = read_run(folder), (folder / REPORT_FILE).read_text(encoding="utf-8")
    dataset, digest = str(run.document["dataset"]), str(run.document["dataset_digest"])
    rows.record_run(
        MeasuredRun(run.model, dataset, digest, run.measured_at, run.predictions_sha256, dict(run.document)),
        report,
    )
