"""`acuity validate suite`: every part of a suite, its criteria, and the verdict; stopped runs go on where they were."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from triage.errors import InvalidDataset
from validation.answering import POLICIES, Subject
from validation.answers import HeaderReader
from validation.asking import Asked, Asker, Progress
from validation.datasets import load_dataset
from validation.labelled_images import Dataset
from validation.leakage import leaks_between_parts, leaks_between_patients, leaks_between_sets, sides_of
from validation.report_examples import examples
from validation.result_document import Json, as_object, write_predictions
from validation.reuse_ledger import Use, record_use, uses_of
from validation.run import (
    PREDICTIONS_FILE,
    ValidationRequest,
    measured_of,
    require_modality,
)
from validation.suites.criteria import judged
from validation.suites.gate import gate
from validation.suites.machine import machine
from validation.suites.part_result import PartResult
from validation.suites.probes import probes
from validation.suites.robustness import robustness
from validation.suites.subgroups import subgroups
from validation.suites.suite_file import Leakage, Suite
from validation.suites.suite_report import suite_html
from validation.training_overlap import training_overlap, unseen_by

Plan = TypeVar("Plan")

RESULT_FILE, REPORT_FILE, PDF_FILE = "suite.json", "suite.html", "suite.pdf"
ANSWERS, PARTS = "answers", "parts"
NEEDS_IMAGES = ("robustness", "probes")
WRITTEN = {
    RESULT_FILE,
    REPORT_FILE,
    PDF_FILE,
    PREDICTIONS_FILE,
    ANSWERS,
    PARTS,
    f".{RESULT_FILE}.unfinished",
    f".{REPORT_FILE}.unfinished",
}
PROCEDURE = "2"
"""Raised when the same answers give other figures than before: parts that are done are then worked out again."""


@dataclass(frozen=True, slots=True)
class SuiteRequest:
    """The suite, what it runs on and where; `ledger` is the folder of the ledger of test-set uses."""

    suite: Suite
    measured: ValidationRequest
    ledger: Path


def run_suite(request: SuiteRequest, header_of: HeaderReader, progress: Progress) -> dict[str, Json]:
    """Write `suite.json`, `suite.html` and `predictions.csv` to `out`, and return what the first one says.

    `out/answers` and `out/parts` keep what is done: a second call with the same bundle, data and suite asks nothing
    twice. What is kept from others than these is left alone.

    Raises:
        InvalidDataset: the suite does not fit the data, a data set does not load, or `out` holds something else.
        InvalidBundle: the weights do not load.
        ProviderUnavailable: the device is not there.
        NotAnswered: those elsewhere cannot answer.
    """
    out = request.measured.out
    if out.exists() and (not out.is_dir() or {one.name for one in out.iterdir()} - WRITTEN):
        raise InvalidDataset(f"{out}: holds other files, needed a new or an empty folder, or an earlier suite")
    dataset = load_dataset(request.measured.data)
    require_modality(request.measured, dataset)
    if not out.exists():
        out.mkdir(parents=True)
    try:
        return _SuiteRun(request, dataset, header_of, progress).run()
    finally:
        # Bad input that shows late, a broken image say, leaves no folder that held nothing before.
        for folder in (out / ANSWERS, out / PARTS, out):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


class _SuiteRun:
    """One run of a suite."""

    def __init__(self, request: SuiteRequest, dataset: Dataset, header_of: HeaderReader, progress: Progress) -> None:
        self._request, self._dataset, self._progress = request, dataset, progress
        measured = request.measured
        self._subject = Subject(measured.bundle, dataset, header_of, POLICIES[measured.device], measured.threads)
        self._asker = Asker(self._subject, measured.out / ANSWERS, progress, measured.workers, measured.elsewhere)

    def run(self) -> dict[str, Json]:
        request, measured = self._request, self._request.measured
        with self._asker:
            parts = {name: self._part(name) for name in request.suite.parts}
        criteria = judged(request.suite.criteria, parts)
        passed = all(one["met"] is True for one in criteria)
        use = Use(
            dataset_digest=self._dataset.digest,
            dataset=self._dataset.description.name,
            bundle=measured.bundle.identity.name,
            bundle_digest=measured.bundle.identity.digest,
            by=f"suite {request.suite.name} {request.suite.digest[:16]}",
            passed=passed,
            at=measured.at.isoformat(timespec="seconds"),
        )
        record_use(request.ledger, use)
        document: dict[str, Json] = {
            "suite": request.suite.name,
            "suite_digest": request.suite.digest,
            "passed": passed,
            "bundle": use.bundle,
            "bundle_version": measured.bundle.identity.version,
            "bundle_digest": use.bundle_digest,
            "dataset": use.dataset,
            "dataset_digest": use.dataset_digest,
            "device": measured.device,
            "criteria": [dict(one) for one in criteria],
            "findings": _findings(parts),
            "parts": dict(parts),
            "test_set_uses": asdict(uses_of(request.ledger, self._dataset.digest)),
            "n_answers_kept": self._asker.n_kept,
            "measured_at": use.at,
            "environment": measured.environment(),
        }
        page = suite_html(document, self._examples())
        _write(measured.out / REPORT_FILE, page)
        if measured.write_pdf is not None:
            measured.write_pdf(page, measured.out / PDF_FILE)
        _write(measured.out / RESULT_FILE, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        return document

    def _part(self, name: str) -> dict[str, Json]:
        """Return the document of a part: kept from an earlier run of the same, or found now and kept."""
        measured, suite = self._request.measured, self._request.suite
        if name in NEEDS_IMAGES and self._dataset.is_dicom:
            return PartResult({"not_measured": "alters plain images; this set is of DICOM files"}).as_object()
        key = "\n".join(
            (
                PROCEDURE,
                measured.bundle.identity.digest,
                self._dataset.digest,
                measured.device,
                str(measured.threads),
                str(suite.seed),
                getattr(suite, name).model_dump_json(),
                # Sets beside the main one may come and go.
                str(measured.data.resolve().parent) if name in ("gate", "leakage") else "",
            )
        )
        path = measured.out / PARTS / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
        if path.is_file() and name not in ("gate", "leakage"):
            kept: dict[str, Json] = json.loads(path.read_text(encoding="utf-8"))
            self._progress(name, 1, 1)
            return kept
        found = self._measured(name).as_object()
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, json.dumps(found, ensure_ascii=False, allow_nan=False))
        return found

    def _measured(self, name: str) -> PartResult:
        suite, measured, subject = self._request.suite, self._request.measured, self._subject
        parts: Mapping[str, Callable[[], PartResult]] = {
            "leakage": lambda: self._leakage(_given(suite.leakage)),
            "standalone": self._standalone,
            "subgroups": lambda: subgroups(self._all(), subject, _given(suite.subgroups)),
            "robustness": lambda: robustness(self._asker, _given(suite.robustness), suite.seed),
            "probes": lambda: probes(self._asker, _given(suite.probes), suite.seed),
            "machine": lambda: machine(
                self._asker, measured.out / ANSWERS, _given(suite.machine), suite.seed, self._progress
            ),
            "gate": lambda: gate(self._asker, _given(suite.gate), measured.data.resolve().parent, suite.seed),
        }
        return parts[name]()

    def _all(self) -> Asked:
        return self._asker.ask("unaltered", self._dataset.studies)

    def _standalone(self) -> PartResult:
        asked, request = self._all(), self._request.measured
        measured = measured_of(request, self._dataset, asked.answers, asked.seconds)
        write_predictions(request.out / PREDICTIONS_FILE, asked.answers, request.bundle.spec.active.threshold)
        document = as_object(measured)
        # These two say when and where it was measured; the document of the suite says it for all parts.
        return PartResult({key: document[key] for key in document if key not in ("measured_at", "environment")})

    def _examples(self) -> str:
        if self._request.suite.standalone is None:
            return ""
        threshold = self._request.measured.bundle.spec.active.threshold
        return examples(self._all().answers, self._dataset, threshold)

    def _leakage(self, plan: Leakage) -> PartResult:
        dataset, bundle = self._dataset, self._request.measured.bundle
        members, overlap = unseen_by(bundle, dataset), training_overlap(bundle.folder, dataset)
        sides = sides_of(dataset, members, plan.split)
        leaks = [leaks_between_patients(sides)]
        if plan.split is not None or members:
            leaks.append(leaks_between_parts(sides, plan.split or "the folds of the bundle"))
        missing: list[Json] = []
        for name in plan.others:
            folder = self._request.measured.data.resolve().parent / name
            if not folder.is_dir():
                missing.append(f"no folder {name} beside the data set")
                continue
            other = load_dataset(folder)
            same_names = other.description.name == dataset.description.name
            leaks.append(leaks_between_sets(sides, sides_of(other, {}, None), f"the set and {name}", same_names))
        findings = [said for one in leaks for said in one.found]
        if overlap.trained_on and not members:
            findings.insert(0, f"leak: the bundle was trained on {overlap.patients} patients of this set")
        figures: dict[str, Json] = {
            "trained_on_this_data": overlap.trained_on,
            "n_patients_in_training": overlap.patients,
            "n_patients_out_of_fold": len({study.patient for study in dataset.studies} & members.keys()),
            "compared": [one.as_object() for one in leaks],
            "not_measured": missing,
        }
        return PartResult(figures, tuple(findings))


def _findings(parts: Mapping[str, Mapping[str, Json]]) -> list[Json]:
    return [
        {"part": name, "said": said}
        for name, part in parts.items()
        if isinstance(found := part.get("findings"), list)
        for said in found
    ]


def _given(plan: Plan | None) -> Plan:
    assert plan is not None
    return plan


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
