"""The records behind the report as four tables: examinations, equipment, what the AI said, what the reader said.

The division is that of registries of AI results such as ACR Assess-AI; the column names are ours, and this is no
submission format. A case is named by a digest of its study UID; no patient is in it.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from triage.surveillance import StudyRecord
from validation.surveillance.figures import age_band

TABLES: Mapping[str, tuple[str, ...]] = {
    "examinations.csv": ("case", "date", "site", "age_band", "sex"),
    "equipment.csv": ("case", "scanner", "device", "software", "protocol", "kernel",
                      "slice_thickness_mm", "pixel_spacing_mm", "exposure_mas"),
    "ai_results.csv": ("case", "model", "flagged", "score_logit", "novelty", "out_of_scope", "quality_note",
                       "triage_minutes"),
    "reader_results.csv": ("case", "model", "missed", "false_flag", "wrong_place", "reading_minutes"),
}  # fmt: skip
"""The files and their columns; an empty cell says that nothing is known."""

OF_STUDY = ("examinations.csv", "equipment.csv")
"""One row for each study; the others have one for each study and model."""


def case_of(record: StudyRecord) -> str:
    """Return the name of the case: the first 20 digits of the SHA-256 of its study UID."""
    return sha256(record.study_instance_uid.encode()).hexdigest()[:20]


def write_records(folder: Path, records: Sequence[StudyRecord]) -> None:
    """Write the four tables into `folder`."""
    once = list({one.study_instance_uid: one for one in records}.values())
    for name, columns in TABLES.items():
        wanted = once if name in OF_STUDY else [one for one in records if one.model]
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(columns)
            table.writerows(list(_row(one, columns)) for one in wanted)


def _row(record: StudyRecord, columns: Sequence[str]) -> Iterator[str]:
    known: dict[str, str] = {
        "case": case_of(record),
        "date": record.received_at.date().isoformat(),
        "site": record.site,
        "scanner": record.scanner,
        "model": record.model,
        "age_band": age_band(record),
        **record.categories,
        **{name: f"{value:.6g}" for name, value in record.numbers.items()},
        **{name: str(int(value)) for name, value in record.events.items()},
    }
    for column in columns:
        value = known.get(column, "")
        # A spreadsheet would run a text that begins like a formula.
        yield f"'{value}" if value[:1] in ("=", "+", "@") else value
