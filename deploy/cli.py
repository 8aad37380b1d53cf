"""The command line: every command, its options, and where its answer goes."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn, TypeAlias

from deploy.accounts import add_users
from deploy.alarming import add_alarms
from deploy.auditing import add_audit
from deploy.deidentifying import add_deidentify
from deploy.delivering import add_deliveries
from deploy.drift_options import add_drift, add_queue, add_surveillance
from deploy.fetch_verb import add_fetch
from deploy.gate_verbs import add_gate
from deploy.model_verbs import add_models
from deploy.notification_verbs import add_notification_verbs
from deploy.rule_verbs import add_rules
from deploy.statistics_options import add_statistics
from deploy.storing import add_storage
from deploy.suite_verbs import add_dataset_check, add_suite, add_workers
from deploy.written_numbers import count, share
from triage.errors import AcuityError, PermanentError
from worklist.roles import Role

Command: TypeAlias = Callable[[argparse.Namespace], int]

QUEUES = ("triage", "delivery", "shadow", "validation")
DONE, FAILED, WRONG_INPUT = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 the answer is no or it failed, 2 the input was wrong."""
    options = _parser().parse_args(arguments)
    try:
        command: Command = options.run
        return command(options)
    except PermanentError as error:
        print(f"acuity: {error}", file=sys.stderr)
        return WRONG_INPUT
    except AcuityError as error:
        print(f"acuity: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return FAILED
    except BrokenPipeError:
        # Whoever read the answer, `head` for example, has seen enough; Python must not write the rest at its end.
        sys.stdout = None
        return FAILED


class _OneLineParser(argparse.ArgumentParser):
    """Says in one line what is wrong with the words, as every other error of the command line does."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_INPUT, f"{self.prog}: {message}; see {self.prog} --help\n")


Verbs: TypeAlias = "argparse._SubParsersAction[_OneLineParser]"


def _later(module: str, function: str) -> Command:
    """Return a command whose module is imported when it runs: no command waits for the libraries of the others."""
    return lambda options: int(getattr(import_module(f"deploy.{module}"), function)(options))


def _work(options: argparse.Namespace) -> int:
    return _later(f"{options.queue}_worker", "run")(options)


def _parser() -> argparse.ArgumentParser:
    shared = _OneLineParser(add_help=False)
    shared.add_argument("--config", type=Path, metavar="FILE", help="settings file (default: $ACUITY_HOME/acuity.toml)")
    printing = _OneLineParser(add_help=False, parents=[shared])
    printing.add_argument("--json", action="store_true", help="print one JSON document")
    parser = _OneLineParser(prog="acuity", description="Imaging-AI triage. Research use, not a medical device.")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_processes(verbs, shared)
    _add_answers(verbs, printing)
    _add_simulation(verbs, printing)
    _add_validation(verbs, printing)
    add_models(verbs, printing, _later)
    add_statistics(verbs, printing)
    add_drift(verbs, printing)
    add_queue(verbs, printing)
    add_surveillance(verbs, printing)
    add_alarms(verbs, printing)
    add_audit(verbs, printing)
    add_users(verbs, printing)
    add_deliveries(verbs, printing)
    add_notification_verbs(verbs, printing)
    add_storage(verbs, printing)
    add_deidentify(verbs, printing)
    add_rules(verbs, printing, _later)
    add_fetch(verbs, printing, _later)
    return parser


def _add_processes(verbs: Verbs, shared: _OneLineParser) -> None:
    up = verbs.add_parser("up", parents=[shared], help="run the whole platform on this machine")
    up.add_argument("--simulator", action=argparse.BooleanOptionalAction, default=False, help="with simulated scanners")
    up.set_defaults(run=_later("supervisor", "run"))
    for name, run, text in (
        ("receive", _later("receive", "run"), "receive DICOM"),
        ("monitor", _later("monitor", "run"), "close quiet studies and take up lost jobs"),
        ("web", _later("web", "run"), "serve the page and its API"),
        ("migrate", _later("migrate", "run"), "bring the database schema up to date"),
        ("simulated-pacs", _later("simulation", "run_pacs"), "receive results as the simulated PACS"),
        ("scanners", _later("simulation", "run_scanners"), "send simulated studies without end"),
    ):
        verbs.add_parser(name, parents=[shared], help=text).set_defaults(run=run)
    work = verbs.add_parser("work", parents=[shared], help="run background jobs")
    work.add_argument("--queue", choices=QUEUES, default=QUEUES[0], help="which jobs (default: triage)")
    work.set_defaults(run=_work)


def _add_answers(verbs: Verbs, printing: _OneLineParser) -> None:
    verbs.add_parser("check", parents=[printing], help="check this installation").set_defaults(
        run=_later("selfcheck", "run")
    )
    studies = verbs.add_parser("studies", help="what is on the list").add_subparsers(required=True, metavar="ACTION")
    studies.add_parser("list", parents=[printing], help="every study, due first").set_defaults(
        run=_later("answers", "list_studies")
    )
    show = studies.add_parser("show", parents=[printing], help="one study")
    show.add_argument("uid", help="Study Instance UID")
    show.set_defaults(run=_later("answers", "show_study"))
    retry = studies.add_parser("retry", parents=[printing], help="analyse a study again that needs attention")
    retry.add_argument("uid", help="Study Instance UID")
    retry.set_defaults(run=_later("answers", "retry_study"))
    instances = verbs.add_parser("instances", help="what was received").add_subparsers(required=True, metavar="ACTION")
    listing = instances.add_parser("list", parents=[printing], help="every instance with its digest")
    listing.set_defaults(run=_later("answers", "list_instances"))
    incidents = verbs.add_parser("incidents", parents=[printing], help="quarantine, conflicts, refused deliveries")
    incidents.set_defaults(run=_later("answers", "list_incidents"))
    token = verbs.add_parser("token", help="API tokens").add_subparsers(required=True, metavar="ACTION")
    create = token.add_parser("create", parents=[printing], help="make a token for Authorization: Bearer")
    create.add_argument("--role", required=True, choices=[role.value for role in Role], help="what it may do")
    create.set_defaults(run=_later("answers", "create_token"))


def _add_simulation(verbs: Verbs, printing: _OneLineParser) -> None:
    simulate = verbs.add_parser("simulate", parents=[printing], help="send simulated studies")
    simulate.add_argument("--scanner", choices=("ct", "mr", "us", "dx"), required=True, help="modality")
    simulate.add_argument("--studies", type=count, default=1, metavar="N", help="how many (default: 1)")
    simulate.add_argument("--positive-rate", type=share, default=0.3, metavar="P", help="share with a lesion")
    simulate.add_argument("--seed", type=count, default=1, metavar="S", help="same seed, same studies")
    simulate.add_argument("--scenario", type=Path, default=None, metavar="SCENARIO.toml",
                          help="the CT scanners of a rehearsal, with what is wrong with them")  # fmt: skip
    simulate.add_argument("--on", default=None, metavar="DATE", help="the day of the scenario")
    simulate.add_argument("--to", default=None, metavar="AE@HOST:PORT", help="receiver (default: this Acuity)")
    simulate.set_defaults(run=_later("measuring", "simulate"))


def _add_validation(verbs: Verbs, printing: _OneLineParser) -> None:
    dataset = verbs.add_parser("dataset", help="labelled data sets").add_subparsers(required=True, metavar="ACTION")
    to_dicom = dataset.add_parser("to-dicom", parents=[printing], help="write a data set's images as DICOM studies")
    to_dicom.add_argument("folder", type=Path, metavar="DIR", help="data set with dataset.toml and labels.csv")
    to_dicom.add_argument("out", type=Path, metavar="OUT", help="folder to write to")
    to_dicom.set_defaults(run=_later("measuring", "dataset_to_dicom"))
    phantoms = dataset.add_parser("phantoms", parents=[printing], help="draw simulated images as a labelled data set")
    phantoms.add_argument("out", type=Path, metavar="OUT", help="folder to write to")
    phantoms.add_argument("--studies", type=count, default=24, metavar="N", help="how many (default: %(default)s)")
    phantoms.add_argument("--positive-rate", type=share, default=0.5, metavar="P", help="share with a lesion")
    phantoms.add_argument("--scanner", choices=("ct", "mr", "us", "dx"), default="ct", help="modality (default: ct)")
    phantoms.add_argument("--seed", type=count, default=1, metavar="S", help="same seed, same images")
    phantoms.set_defaults(run=_later("measuring", "dataset_phantoms"))
    add_dataset_check(dataset, printing)
    validate = verbs.add_parser("validate", help="measure a model").add_subparsers(required=True, metavar="ACTION")
    run = validate.add_parser("run", parents=[printing], help="run a bundle on a labelled data set")
    run.add_argument("--bundle", required=True, metavar="NAME", help="model bundle")
    run.add_argument("--data", type=Path, required=True, metavar="DIR", help="labelled data set")
    run.add_argument("--out", type=Path, required=True, metavar="OUT", help="folder for predictions and report")
    run.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where the model runs (default: cpu)")
    add_workers(run)
    run.add_argument("--pdf", action="store_true", help="write the report as PDF, too")
    run.set_defaults(run=_later("measuring", "validate_run"))
    add_gate(validate, printing, _later)
    add_suite(validate, printing)


if __name__ == "__main__":
    sys.exit(main())
