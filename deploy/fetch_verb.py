"""The words of `acuity fetch`."""

import argparse
from typing import Any


def add_fetch(verbs: Any, printing: argparse.ArgumentParser, later: Any) -> None:
    """Add the command to the command line."""
    verb = verbs.add_parser("fetch", parents=[printing], help="have a source send a study here, by C-MOVE")
    verb.add_argument("uid", help="Study Instance UID")
    verb.add_argument("--from", dest="source", required=True, metavar="AE", help="AE title of a peer in the settings")
    verb.set_defaults(run=later("fetching", "run"))
