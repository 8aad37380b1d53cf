"""What the commands that measure do: simulated studies, data sets, validation."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event

from deploy.bundles import bundle_called
from deploy.file_headers import header_of_file
from deploy.kept_evidence import opened_evidence, record_run
from deploy.platform_answers import answering
from deploy.process import settings_of
from deploy.progress_line import ProgressLine
from deploy.rehearsed_scanners import on_a_day
from deploy.settings import Settings, read_settings
from deploy.simulation import running_address
from dicom_gateway.simulator.modality import SentStudy, SimulationPlan
from dicom_gateway.simulator.modality import simulate as simulate_studies
from dicom_gateway.simulator.phantom_dataset import write_phantom_dataset
from dicom_gateway.simulator.sending import address_from
from models.bundle import Bundle
from triage.errors import InvalidDataset
from validation.pdf import pdf_writer
from validation.run import ValidationRequest, validate
from validation.to_dicom import to_dicom
from validation.written_whole import written_whole


def simulate(options: argparse.Namespace) -> int:
    """Send simulated studies back to back and print what became of each; 1 when any image was not taken."""
    plan = SimulationPlan(
        scanners=(options.scanner,),
        studies=options.studies,
        positive_rate=options.positive_rate,
        seed=options.seed,
        mean_seconds_between=0.0,
    )
    if options.scenario is not None or options.on is not None:
        plan = on_a_day(plan, options.scenario, options.on)
    settings = settings_of(options, "simulate")
    to = running_address(settings) if options.to is None else address_from(options.to)
    report = simulate_studies(plan, to, Event(), sent=_say_sent)
    if options.json:
        _print(options, {"to": str(to), **asdict(report)})
    return 0 if report.is_delivered else 1


def _say_sent(study: SentStudy) -> None:
    said = "delivered" if study.is_delivered else f"NOT delivered ({', '.join(sorted(set(study.statuses)))})"
    lesion = "lesion" if study.has_lesion else "no lesion"
    images = f"{study.instances} images"
    print(f"{study.modality}  {study.study_instance_uid}  {images}  {lesion}  {said}", file=sys.stderr)


def dataset_to_dicom(options: argparse.Namespace) -> int:
    """Write the images of a data set as DICOM studies and print what was written."""
    conversion = to_dicom(options.folder, options.out, progress("studies written"))
    _print(options, conversion.as_object())
    return 0


def dataset_phantoms(options: argparse.Namespace) -> int:
    """Draw simulated images of one modality as a labelled data set."""
    if options.studies < 1:
        raise InvalidDataset("--studies: found 0, needed at least 1")
    with written_whole(options.out, is_earlier_result=lambda _: False) as unfinished:
        write_phantom_dataset(unfinished, options.studies, options.positive_rate, options.seed, options.scanner)
    drawn = {"folder": str(options.out), "studies": options.studies, "seed": options.seed, "scanner": options.scanner}
    _print(options, drawn)
    return 0


def validate_run(options: argparse.Namespace) -> int:
    """Run a bundle on a labelled data set and print its figures."""
    settings = read_settings(options.config)
    bundle = bundle_called(options.bundle, settings)
    request = replace(
        measured_on(bundle, options.data, options.out, options.device, settings),
        workers=options.workers,
        write_pdf=pdf_writer() if options.pdf else None,
    )
    with answering(options.on_platform, bundle.identity, options.device, settings) as elsewhere:
        document = validate(replace(request, elsewhere=elsewhere), header_of_file, progress("studies analysed"))
    with opened_evidence(settings) as rows:
        record_run(rows, options.out)
    _print(options, document)
    return 0


def measured_on(bundle: Bundle, data: Path, out: Path, device: str, settings: Settings) -> ValidationRequest:
    """Return the request to measure `bundle` now."""
    return ValidationRequest(bundle, data, out, device, settings.file.inference.threads, at=datetime.now(UTC))


def progress(what: str) -> Callable[[int, int], None]:
    """Return a function that tells on standard error how far `what` is."""
    return partial(ProgressLine().told, what)


def _print(options: argparse.Namespace, answer: object) -> None:
    json.dump(answer, sys.stdout, indent=None if options.json else 2)
    print()
