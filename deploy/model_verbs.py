"""The words of `acuity models`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

Later: TypeAlias = Callable[[str, str], Callable[[argparse.Namespace], int]]

_ANSWERS, _CHANGING = "model_commands", "model_changes"
_MODEL = "NAME, NAME@VERSION or NAME@DIGEST"
_CHANGES = (
    ("activate", "let a model answer for its task; the one that did so retires"),
    ("shadow", "let a model see live studies beside the active one, without a word on the list"),
    ("retire", "take a model out of service"),
    ("rollback", "go back to the model of the same task that was active before"),
)


def add_models(verbs: Any, printing: argparse.ArgumentParser, later: Later) -> None:
    """Add `models` and its actions to the command line; `later` gives the command of a module's function."""
    actions = verbs.add_parser("models", help="installed models and which of them are in service").add_subparsers(
        required=True, metavar="ACTION"
    )

    def action(name: str, text: str, module: str = _ANSWERS) -> Any:
        parser = actions.add_parser(name, parents=[printing], help=text)
        parser.set_defaults(run=later(module, f"{name}_models" if name in ("list", "verify") else f"{name}_model"))
        return parser

    action("list", "every registered model, with task, state, licence and digest")
    action("verify", "hold every file against its digest").add_argument(
        "model", nargs="?", metavar="MODEL", help=f"{_MODEL} (default: every model)"
    )
    action("show", "one model with its files and its history").add_argument("model", metavar="MODEL", help=_MODEL)
    action("card", "what a model was trained on and what it reaches").add_argument(
        "model", metavar="MODEL", help=_MODEL
    )
    action("install", "take a bundle from a zip file, as a draft", _CHANGING).add_argument(
        "file", type=Path, metavar="FILE", help="zip file of a bundle"
    )
    action("seal", "write configs/digests.json for a bundle that you made").add_argument(
        "folder", type=Path, metavar="FOLDER", help="folder of the bundle"
    )
    signing = action("sign", "seal a bundle that you made, and sign its digests")
    signing.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the bundle")
    signing.add_argument("--key", type=Path, required=True, metavar="PEM", help="file with your Ed25519 private key")
    report = actions.add_parser("shadow-report", parents=[printing], help="what a model in the shadow said, and served")
    report.add_argument("model", metavar="MODEL", help=_MODEL)
    report.set_defaults(run=later("shadowing", "report_shadow"))
    for name, text in _CHANGES:
        change = action(name, text, _CHANGING)
        change.add_argument("model", metavar="MODEL", help=_MODEL)
        change.add_argument("--why", "--reason", default="", metavar="TEXT", help="the reason, kept in the history")
        change.add_argument("--by", default="", metavar="PERSON", help="who decides (default: this system's account)")
        if name == "activate":
            change.add_argument(
                "--without-verdict", action="store_true", help="though no verdict accepts it; needs --reason"
            )
