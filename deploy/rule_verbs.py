"""The words of `acuity rules`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_rules(
    verbs: Any,
    printing: argparse.ArgumentParser,
    later: Callable[[str, str], Callable[[argparse.Namespace], int]],
) -> None:
    """Add the verb `rules` to the command line."""
    actions = verbs.add_parser("rules", help="routing rules").add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser("check", parents=[printing], help="read a rule file and tell every mistake")
    check.add_argument("file", type=Path, nargs="?", metavar="FILE", help="rule file (default: the one in use)")
    check.set_defaults(run=later("rule_commands", "check"))
    test = actions.add_parser("test", parents=[printing], help="say rule by rule what matches, and why")
    test.add_argument("subject", metavar="FILE.dcm|UID", help="a DICOM file, or a study that was received")
    _add_rule_file(test)
    test.add_argument("--source", default="", metavar="AE", help="sender of a FILE.dcm (default: none)")
    test.add_argument(
        "--at", default="", metavar="TIME", help="arrival of a FILE.dcm, as 2026-03-01T22:00 (default: now)"
    )
    test.set_defaults(run=later("rule_commands", "test"))
    replay = actions.add_parser("replay", parents=[printing], help="what the rules would change for past studies")
    replay.add_argument("--since", required=True, metavar="DATE", help="first day of arrival, as 2026-03-01")
    _add_rule_file(replay)
    replay.set_defaults(run=later("rule_commands", "replay"))


def _add_rule_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rules", type=Path, metavar="FILE", help="rule file (default: the one in use)")
