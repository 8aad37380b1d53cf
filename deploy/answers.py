"""What the commands that answer something do: studies, instances, incidents, tokens."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from deploy.clock import SystemClock
from deploy.opened import opened_database
from deploy.settings import read_settings
from storage.accounts import AccountRows
from storage.database import DatabaseTransactions, connect
from storage.incidents import IncidentReader
from storage.instances import list_instances as instance_rows
from storage.worklist_rows import WorklistReader, WorklistRow
from triage.identifiers import StudyInstanceUid
from triage.workflow import retry_triage
from worklist.auth import create_api_token
from worklist.ports import ListFilter
from worklist.roles import Role

_ROWS_AT_ONCE = 2000


def list_studies(options: argparse.Namespace) -> int:
    """Print every study, due first."""
    with _engine(options) as engine:
        studies = [row.as_object() for row in _every_row(WorklistReader(engine))]
    _print(options, studies, lambda study: f"{study['priority']:8}  {study['status']:15}  {study['reason']}")
    return 0


def show_study(options: argparse.Namespace) -> int:
    """Print one study."""
    with _engine(options) as engine:
        study = WorklistReader(engine).detail(StudyInstanceUid(options.uid))
    _print(options, study.row.as_object() | {"fetched": list(study.fetched)}, None)
    return 0


def retry_study(options: argparse.Namespace) -> int:
    """Lead one study that needs attention back to analysis."""
    with _engine(options) as engine:
        retry_triage(DatabaseTransactions(engine), SystemClock(), StudyInstanceUid(options.uid))
    _print(options, {"study_instance_uid": options.uid, "status": "COMPLETE"}, None)
    return 0


def list_instances(options: argparse.Namespace) -> int:
    """Print every instance with its digest."""
    with _engine(options) as engine:
        instances = instance_rows(engine)
    _print(options, instances, lambda one: f"{one['sha256']}  {one['size']:>10}  {one['path']}")
    return 0


def list_incidents(options: argparse.Namespace) -> int:
    """Print what a person must look at."""
    with _engine(options) as engine:
        found = IncidentReader(engine).newest(1000).incidents
    incidents = [{**asdict(one), "at": one.at.isoformat()} for one in found]
    _print(options, incidents, lambda one: f"{one['at']}  {one['kind']:16}  {one['origin']:16}  {one['reason']}")
    return 0


def create_token(options: argparse.Namespace) -> int:
    """Print a new API token once; only its digest is kept."""
    role = Role(options.role)
    with _engine(options) as engine:
        token = create_api_token(AccountRows(engine), role, datetime.now(UTC))
    _print(options, {"token": token}, None)
    return 0


def _every_row(reader: WorklistReader) -> Iterator[WorklistRow]:
    page = reader.page(ListFilter(limit=_ROWS_AT_ONCE)).rows
    while page:
        yield from page
        page = reader.page(ListFilter(limit=_ROWS_AT_ONCE, after=page[-1].study.study_instance_uid)).rows


@contextmanager
def _engine(options: argparse.Namespace) -> Iterator[Engine]:
    with opened_database(read_settings(options.config)) as url:
        engine = connect(url)
        try:
            yield engine
        finally:
            engine.dispose()


def _print(options: argparse.Namespace, answer: Any, line: Callable[[dict[str, Any]], str] | None) -> None:
    """Print the answer as one JSON document, or a line per object where a person reads."""
    if options.json or line is None:
        json.dump(answer, sys.stdout, indent=None if options.json else 2)
        print()
        return
    for one in answer:
        print(line(one))
