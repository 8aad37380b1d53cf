"""What `acuity validate suite` and `acuity dataset check` do."""

import argparse
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime

from deploy.bundles import bundle_called
from deploy.file_headers import header_of_file
from deploy.kept_evidence import opened_evidence, record_suite
from deploy.platform_answers import answering
from deploy.progress_line import ProgressLine
from deploy.settings import read_settings
from triage.errors import InvalidDataset
from validation.dataset_check import checked
from validation.pdf import pdf_writer
from validation.run import ValidationRequest
from validation.suites.run import REPORT_FILE, SuiteRequest, run_suite
from validation.suites.suite_file import read_suite


def validate_suite(options: argparse.Namespace) -> int:
    """Run a suite, keep and print its document; 1 when a criterion is not met."""
    settings = read_settings(options.config)
    suite, path = read_suite(options.suite)
    if options.data is None and suite.data is None:
        raise InvalidDataset(f"{path.name}: data: absent, needed here or as --data")
    bundle = bundle_called(options.bundle or suite.bundle, settings)
    measured = ValidationRequest(
        bundle=bundle,
        data=options.data or path.parent / str(suite.data),
        out=options.out,
        device=options.device,
        threads=settings.file.inference.threads,
        workers=options.workers,
        write_pdf=pdf_writer() if options.pdf else None,
        at=datetime.now(UTC),
    )
    with answering(options.on_platform, bundle.identity, options.device, settings) as elsewhere:
        request = SuiteRequest(suite, replace(measured, elsewhere=elsewhere), settings.home)
        document = run_suite(request, header_of_file, ProgressLine().told)
    with opened_evidence(settings) as rows:
        record_suite(rows, document, options.out / REPORT_FILE)
    _print(options, document)
    return 0 if document["passed"] is True else 1


def dataset_check(options: argparse.Namespace) -> int:
    """Print what a data set holds and what its parts share; 1 when they share anything."""
    document = checked(options.folder, options.split, options.against)
    _print(options, document)
    return 1 if document["findings"] else 0


def _print(options: argparse.Namespace, answer: object) -> None:
    json.dump(answer, sys.stdout, indent=None if options.json else 2)
    print()
