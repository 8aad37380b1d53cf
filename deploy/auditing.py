"""`acuity audit verify` and `acuity audit export`: whether the chain is whole, and what it holds."""

import argparse
import json
import re
import sys
from typing import Any

from deploy.opened import opened_database
from deploy.settings import read_settings
from storage.audit import AuditTrail
from storage.database import connect
from triage.audit import verified
from triage.errors import InvalidSetting
from worklist.audit_export import as_csv, as_fhir

ANCHOR = re.compile(r"^([1-9][0-9]*):([0-9a-f]{64})$")


def add_audit(verbs: Any, printing: argparse.ArgumentParser) -> None:
    """Add the verb `audit` to the command line."""
    actions = verbs.add_parser("audit", help="the chain of events").add_subparsers(required=True, metavar="ACTION")
    verify = actions.add_parser("verify", parents=[printing], help="check that no event was changed or removed")
    verify.add_argument(
        "--anchor", default="", metavar="NUMBER:SHA256", help="a link noted down before, as verify printed it"
    )
    verify.set_defaults(run=verify_chain)
    export = actions.add_parser("export", parents=[printing], help="write every event to standard output")
    export.add_argument("--format", choices=("csv", "fhir"), required=True, help="CSV, or FHIR AuditEvent as NDJSON")
    export.set_defaults(run=export_chain)


def verify_chain(options: argparse.Namespace) -> int:
    """Print whether the chain is whole; 1 where it is not."""
    anchor = _anchor(options.anchor)
    with opened_database(read_settings(options.config)) as url:
        engine = connect(url)
        found = verified(AuditTrail(engine).every(), anchor)
        engine.dispose()
    if options.json:
        answer = {"whole": found.is_whole, "events": found.links, "head": found.head, "fault": found.fault}
        print(json.dumps(answer))
    elif found.is_whole:
        print(f"whole: {found.links} events; anchor {found.links}:{found.head}")
    else:
        print(f"BROKEN behind event {found.links}: {found.fault}")
    return 0 if found.is_whole else 1


def export_chain(options: argparse.Namespace) -> int:
    """Write every event in the order of the chain."""
    settings = read_settings(options.config)
    with opened_database(settings) as url:
        engine = connect(url)
        records = AuditTrail(engine).every()
        if options.format == "csv":
            sys.stdout.reconfigure(newline="")  # type: ignore[union-attr]
            sys.stdout.writelines(as_csv(records))
        else:
            for record in records:
                print(json.dumps(as_fhir(record, settings.file.dicom.ae_title)))
        engine.dispose()
    return 0


def _anchor(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    found = ANCHOR.match(text)
    if found is None:
        raise InvalidSetting(f"--anchor {text!r}: needed NUMBER:SHA256 as verify prints it, for example 42:9f2c…")
    return int(found[1]), found[2]
