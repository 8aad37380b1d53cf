"""Plans, runs, suites and verdicts as this installation keeps them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from deploy.opened import opened_database
from deploy.settings import Settings
from models.evidence import MeasuredRun, MeasuredSuite
from storage.database import connect
from storage.evidence import EvidenceRows
from triage.findings import ModelIdentity
from validation.gate.cases import read_run
from validation.result_document import Json
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


def record_suite(rows: EvidenceRows, document: Mapping[str, Json], page: Path) -> None:
    """Keep the suite that printed `document` and wrote `page`."""
    known = {key: str(document[key]) for key in document}
    rows.record_suite(
        MeasuredSuite(
            model=ModelIdentity(known["bundle"], known["bundle_version"], known["bundle_digest"]),
            suite=known["suite"],
            suite_digest=known["suite_digest"],
            dataset=known["dataset"],
            dataset_digest=known["dataset_digest"],
            measured_at=datetime.fromisoformat(known["measured_at"]),
            passed=document["passed"] is True,
            document=document,
        ),
        page.read_text(encoding="utf-8"),
    )
