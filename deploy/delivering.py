"""`acuity deliveries`: what went where, what was refused, and sending it once more."""

import argparse
import json
from datetime import UTC, datetime
from typing import Any

from deploy.opened import opened_engine
from deploy.written_numbers import count
from storage.database import DatabaseTransactions
from storage.deliveries import DeliveryLedger
from triage.audit import PLATFORM
from triage.errors import InvalidSetting
from triage.forwarding import plan_forwarding
from triage.identifiers import StudyInstanceUid

MOST_LISTED, MOST_ASKED = 1000, 1_000_000


def add_deliveries(verbs: Any, printing: argparse.ArgumentParser) -> None:
    """Add the verb `deliveries` to the command line."""
    actions = verbs.add_parser("deliveries", help="what goes to other systems").add_subparsers(
        required=True, metavar="ACTION"
    )
    listing = actions.add_parser("list", parents=[printing], help="every delivery, last tried first")
    listing.add_argument("--failed", action="store_true", help="only what was refused for good")
    listing.add_argument("--destination", default="", metavar="NAME", help="only what goes there")
    listing.add_argument(
        "--limit", type=count, default=MOST_LISTED, metavar="N", help=f"at most (default: {MOST_LISTED})"
    )
    listing.set_defaults(run=list_deliveries)
    replay = actions.add_parser("replay", parents=[printing], help="send again what was refused")
    replay.add_argument("id", nargs="?", default="", metavar="ID", help="one delivery, UID@NAME as list prints it")
    replay.add_argument("--destination", default="", metavar="NAME", help="everything that NAME refused")
    replay.set_defaults(run=replay_deliveries)
    send = actions.add_parser("send", parents=[printing], help="send a study's original images to a destination")
    send.add_argument("uid", help="Study Instance UID")
    send.add_argument("--destination", required=True, metavar="NAME", help="a destination of the settings")
    send.set_defaults(run=send_study)


def list_deliveries(options: argparse.Namespace) -> int:
    """Print the deliveries, and how each destination does."""
    with opened_engine(options.config) as (_, engine):
        ledger = DeliveryLedger(engine)
        deliveries = ledger.newest(min(max(1, options.limit), MOST_ASKED), options.failed, options.destination)
        destinations = ledger.destinations()
    if options.json:
        answer = {
            "deliveries": [one.as_object() for one in deliveries],
            "destinations": [one.as_object() for one in destinations],
        }
        print(json.dumps(answer))
        return 0
    for one in deliveries:
        print(f"{one.state:9}  {one.kind:8}  tries {one.attempts}  {one.id}  {one.last_error}")
    for state in destinations:
        paused = f"; not tried before {state.retry_at:%H:%M:%S} UTC: {state.last_error}" if state.retry_at else ""
        print(f"{state.name}: {state.planned} waiting, {state.delivered} delivered, {state.refused} refused{paused}")
    return 0


def replay_deliveries(options: argparse.Namespace) -> int:
    """Plan again what was refused.

    Raises:
        InvalidSetting: neither or both of a delivery and a destination are named.
        ActNotPossible: the delivery is none that was refused.
    """
    uid, at, name = options.id.partition("@")
    if bool(options.id) == bool(options.destination) or (options.id and not (uid and at and name)):
        raise InvalidSetting("replay: one of a delivery, UID@NAME as list prints it, and --destination NAME is needed")
    with opened_engine(options.config) as (_, engine):
        count = DeliveryLedger(engine).replay(name or options.destination, uid, PLATFORM, datetime.now(UTC))
    print(json.dumps({"replayed": count}) if options.json else f"{count} planned again")
    return 0


def send_study(options: argparse.Namespace) -> int:
    """Plan to send the originals of a study; a worker does it.

    Raises:
        InvalidSetting: the settings name no such destination.
        UnknownStudy: no such study was received.
    """
    with opened_engine(options.config) as (settings, engine):
        names = [one.name for one in settings.file.destinations]
        if options.destination not in names:
            raise InvalidSetting(
                f"--destination {options.destination!r}: the settings name {', '.join(names) or 'none'}"
            )
        with DatabaseTransactions(engine).begin() as records:
            study = records.studies.get(StudyInstanceUid(options.uid))
            count = plan_forwarding(records, study.study_instance_uid, options.destination, study.priority)
    print(json.dumps({"planned": count}) if options.json else f"{count} instances planned for {options.destination}")
    return 0
