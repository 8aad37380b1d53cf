"""What `acuity models` changes: install, activate, shadow, retire, rollback; each proves the model before it serves."""

import argparse
import os
import pwd
import signal

from deploy.bundles import installed_folder, load_registered, problems_of, trusted_keys
from deploy.clock import SystemClock
from deploy.model_commands import as_object, identity_of, line_of, name_of, print_answer, registry
from deploy.serving import analyser_of
from deploy.settings import Settings
from models.bundle import Bundle
from models.evidence import require_verdict
from models.installation import install_bundle
from models.lifecycle import Decision, ModelAction, ModelState, RegisteredModel, choose, record_of
from models.registry import Origin, full_name
from storage.evidence import EvidenceRows
from storage.model_registry import ModelRows
from triage.audit import Actor, AuditAction, AuditEvent
from triage.errors import InvalidSetting

IN_USE = frozenset({ModelState.ACTIVE})
RUNNING = frozenset({ModelState.ACTIVE, ModelState.SHADOW})
ROLE = "command line"
NOT_IN_USE = frozenset(ModelState) - IN_USE


def install_model(options: argparse.Namespace) -> int:
    """Take a bundle from a zip file, run it once, and register it as a draft."""
    # Without this, SIGTERM would end the process at once, and what was unpacked would stay.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with registry(options) as (settings, rows):
        folder, trusted = installed_folder(settings), trusted_keys(settings)
        bundle = install_bundle(options.file, folder, lambda one: _try_out(one, settings), trusted)
        known = [one for one in rows.all() if one.record.identity == bundle.identity]
        if not known or problems_of(known[0], settings):
            rows.register([record_of(bundle, Origin.INSTALLED)], _decision("", f"installed from {options.file.name}"))
        model = choose(full_name(bundle.identity), rows.all())
    print_answer(options, as_object(model), f"installed: {line_of(model)}")
    return 0


def activate_model(options: argparse.Namespace) -> int:
    """Let a model that verifies, and was accepted, answer for its task."""
    with registry(options) as (settings, rows):
        model = choose(options.model, rows.all(), NOT_IN_USE)
        _prove(model, settings)
        event = _permitted(options, rows, model)
        return _move(options, rows, model, ModelState.ACTIVE, ModelAction.ACTIVATE, event)


def shadow_model(options: argparse.Namespace) -> int:
    """Keep a model that verifies ready beside the active one."""
    with registry(options) as (settings, rows):
        model = choose(options.model, rows.all(), frozenset({ModelState.DRAFT, ModelState.RETIRED}))
        _prove(model, settings)
        return _move(options, rows, model, ModelState.SHADOW, ModelAction.SHADOW)


def retire_model(options: argparse.Namespace) -> int:
    """Take a model out of service, whether its files verify or not."""
    with registry(options) as (_, rows):
        model = choose(options.model, rows.all(), RUNNING)
        return _move(options, rows, model, ModelState.RETIRED, ModelAction.RETIRE)


def rollback_model(options: argparse.Namespace) -> int:
    """Go back to the model that was active before, if it verifies."""
    with registry(options) as (settings, rows):
        task = choose(options.model, rows.all(), IN_USE).record.task
        model = rows.before(task)
        _prove(model, settings)
        return _move(options, rows, model, ModelState.ACTIVE, ModelAction.ROLLBACK)


def _prove(model: RegisteredModel, settings: Settings) -> None:
    """Raise unless the files of a model are those that were registered, and it runs on this machine."""
    _try_out(load_registered(model, settings), settings)


def _try_out(bundle: Bundle, settings: Settings) -> None:
    analyser = analyser_of(settings)
    analyser.put_in_service(bundle)
    analyser.warm_up()


def _permitted(options: argparse.Namespace, rows: ModelRows, model: RegisteredModel) -> AuditEvent:
    """Return the event of an activation with what permits it; raises VerdictNeeded."""
    if options.without_verdict and not options.why:
        raise InvalidSetting("models activate: --without-verdict without a reason, needed --reason TEXT")
    decision, details = _decision(options.by, options.why), {"model": name_of(model)}
    if options.without_verdict:
        details |= {"verdict": "none", "reason": options.why}
    else:
        newest = EvidenceRows(rows.engine).newest_verdict(model.record.identity.digest)
        verdict = require_verdict(model, rows.all(), newest)
        details["verdict"] = "shipped with its figures" if verdict is None else f"Accepted by {verdict.plan_sha256}"
    return AuditEvent(decision.at, Actor(decision.by, ROLE), AuditAction.MODEL_ACTIVATED, details=details)


def _move(
    options: argparse.Namespace,
    rows: ModelRows,
    model: RegisteredModel,
    state: ModelState,
    action: ModelAction,
    event: AuditEvent | None = None,
) -> int:
    displaced = rows.move(model.id, state, action, _decision(options.by, options.why), event)
    now = next(one for one in rows.all() if one.id == model.id)
    answer = {**as_object(now), "in_place_of": None if displaced is None else identity_of(displaced)}
    instead = "" if displaced is None else f"\nin place of {name_of(displaced)}, which is retired"
    print_answer(options, answer, f"{line_of(now)}{instead}")
    return 0


def _decision(by: str, why: str) -> Decision:
    return Decision(account_of(by), SystemClock().now(), why)


def account_of(by: str) -> str:
    """Return who decides: the person named, or this system's account."""
    if by:
        return by
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
