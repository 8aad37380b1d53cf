"""`acuity notifications`: who was told what, telling once more, and a trial."""

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from deploy.notifying import messengers_of
from deploy.opened import opened_engine
from deploy.settings import read_settings
from storage.notifications import Outbox
from triage.audit import PLATFORM
from triage.errors import InvalidSetting
from triage.notifications import EventKind, Message

MOST_LISTED = 1000


def add_notification_verbs(verbs: Any, printing: argparse.ArgumentParser) -> None:
    """Add the verb `notifications` to the command line."""
    actions = verbs.add_parser("notifications", help="who is told of what cannot wait").add_subparsers(
        required=True, metavar="ACTION"
    )
    listing = actions.add_parser("list", parents=[printing], help="every notification, last planned first")
    listing.add_argument("--failed", action="store_true", help="only what was refused for good")
    listing.set_defaults(run=list_notifications)
    retry = actions.add_parser("retry", parents=[printing], help="send again what was refused")
    retry.add_argument("id", metavar="ID", help="as `list` shows it")
    retry.set_defaults(run=retry_notification)
    test = actions.add_parser("test", parents=[printing], help="send a trial message now")
    test.add_argument("target", metavar="TARGET", help="a target of the settings")
    test.set_defaults(run=test_target)


def list_notifications(options: argparse.Namespace) -> int:
    """Print the notifications."""
    with opened_engine(options.config) as (_, engine):
        found = Outbox(engine).newest(MOST_LISTED, options.failed)
    if options.json:
        _say(json.dumps([one.as_object() for one in found]))
        return 0
    for one in found:
        told = f"{one.state:8}  {one.planned_at:%Y-%m-%d %H:%M:%S}  {one.kind}  step {one.step}  {one.target}"
        _say(f"{one.id}  {told}  tries {one.attempts}  {one.last_error}")
    return 0


def retry_notification(options: argparse.Namespace) -> int:
    """Plan a refused notification again; raises ActNotPossible."""
    with opened_engine(options.config) as (_, engine):
        Outbox(engine).retry(options.id, PLATFORM, datetime.now(UTC))
    _say(json.dumps({"id": options.id}) if options.json else "planned again")
    return 0


def test_target(options: argparse.Namespace) -> int:
    """Send a trial message to one target; raises InvalidSetting, DestinationUnavailable, DestinationRefused."""
    settings = read_settings(options.config)
    messengers = messengers_of(settings)
    if options.target not in messengers:
        raise InvalidSetting(f"target {options.target!r}: the settings name {', '.join(messengers) or 'none'}")
    now, link = datetime.now(UTC), settings.page_url
    message = Message(str(uuid4()), EventKind.DEAD_LETTER, "", now, 0, link, is_trial=True)
    messengers[options.target].send(message)
    _say(json.dumps({"id": message.id, "target": options.target}) if options.json else f"{options.target} has taken it")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
