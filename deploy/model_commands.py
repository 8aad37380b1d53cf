"""What `acuity models` does: list, show, verify, card, install, seal, and the changes of state."""

import argparse
import json
import os
import pwd
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.bundles import installed_folder, load_registered, problems_of, register_found
from deploy.clock import SystemClock
from deploy.opened import opened_database
from deploy.serving import analyser_of
from deploy.settings import Settings, read_settings
from models.bundle import CARD_FILE, Bundle
from models.installation import install_bundle
from models.integrity import digest_of, seal
from models.licence import is_research_only, licence_words
from models.lifecycle import Decision, HistoryEntry, ModelAction, ModelState, RegisteredModel, choose, record_of
from models.registry import Origin, full_name
from storage.database import connect
from storage.model_registry import ModelRows
from triage.errors import InvalidBundle

IN_USE = frozenset({ModelState.ACTIVE})
RUNNING = frozenset({ModelState.ACTIVE, ModelState.SHADOW})
NOT_IN_USE = frozenset(ModelState) - IN_USE


def list_models(options: argparse.Namespace) -> int:
    """Print every registered model."""
    with _registry(options) as (_, rows):
        known = rows.all()
    _print(options, [_as_object(one) for one in known], "\n".join(map(_line, known)))
    return 0


def verify_models(options: argparse.Namespace) -> int:
    """Print what is wrong with the files of every model, or of one; 1 when anything is."""
    with _registry(options) as (settings, rows):
        known = rows.all()
        broken = register_found(rows, settings).broken
    chosen = [choose(options.model, known, IN_USE)] if options.model else known
    answer = [_verified(_identity(one), one.state, problems_of(one)) for one in chosen]
    if not options.model:
        told = {one.record.folder for one in known}
        nobody = {"version": None, "digest": None}
        unknown = [(place, problem) for place, problem in broken if str(place.folder) not in told]
        answer += [_verified({"name": place.name, **nobody}, None, (problem,)) for place, problem in unknown]
    _print(options, answer, "\n".join(map(_verdict, answer)))
    return 0 if all(one["ok"] for one in answer) else 1


def show_model(options: argparse.Namespace) -> int:
    """Print one model with its files and its history."""
    with _registry(options) as (_, rows):
        model = choose(options.model, rows.all(), IN_USE)
        history = [_change(one) for one in rows.history() if one.model_id == model.id]
    _print(options, {**_as_object(model), "files": dict(model.record.files), "history": history})
    return 0


def card_model(options: argparse.Namespace) -> int:
    """Print the card of one model."""
    with _registry(options) as (_, rows):
        model = choose(options.model, rows.all(), IN_USE)
    card = (load_registered(model).folder / CARD_FILE).read_text(encoding="utf-8")
    _print(options, {**_identity(model), **_licence(model), "card": card}, f"{_line(model)}\n\n{card}")
    return 0


def install_model(options: argparse.Namespace) -> int:
    """Take a bundle from a zip file, run it once, and register it as a draft."""
    # Without this, SIGTERM would end the process at once, and what was unpacked would stay.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _registry(options) as (settings, rows):
        bundle = install_bundle(options.file, installed_folder(settings), lambda one: _try_out(one, settings))
        known = [one for one in rows.all() if one.record.identity == bundle.identity]
        if not known or problems_of(known[0]):
            rows.register([record_of(bundle, Origin.INSTALLED)], _decision("", f"installed from {options.file.name}"))
        model = choose(full_name(bundle.identity), rows.all())
    _print(options, _as_object(model), f"installed: {_line(model)}")
    return 0


def seal_model(options: argparse.Namespace) -> int:
    """Write the digests of a bundle that somebody made by hand."""
    if not options.folder.is_dir():
        raise InvalidBundle(f"{options.folder}: not a folder, needed one with a bundle")
    files = seal(options.folder)
    _print(options, {"digest": digest_of(files), "files": dict(files)}, f"{len(files)} files, {digest_of(files)}")
    return 0


def activate_model(options: argparse.Namespace) -> int:
    """Let a model that verifies answer for its task."""
    with _registry(options) as (settings, rows):
        model = choose(options.model, rows.all(), NOT_IN_USE)
        _prove(model, settings)
        return _move(options, rows, model, ModelState.ACTIVE, ModelAction.ACTIVATE)


def shadow_model(options: argparse.Namespace) -> int:
    """Keep a model that verifies ready beside the active one."""
    with _registry(options) as (settings, rows):
        model = choose(options.model, rows.all(), frozenset({ModelState.DRAFT, ModelState.RETIRED}))
        _prove(model, settings)
        return _move(options, rows, model, ModelState.SHADOW, ModelAction.SHADOW)


def retire_model(options: argparse.Namespace) -> int:
    """Take a model out of service, whether its files verify or not."""
    with _registry(options) as (_, rows):
        model = choose(options.model, rows.all(), RUNNING)
        return _move(options, rows, model, ModelState.RETIRED, ModelAction.RETIRE)


def rollback_model(options: argparse.Namespace) -> int:
    """Go back to the model that was active before, if it verifies."""
    with _registry(options) as (settings, rows):
        task = choose(options.model, rows.all(), IN_USE).record.task
        model = rows.before(task)
        _prove(model, settings)
        return _move(options, rows, model, ModelState.ACTIVE, ModelAction.ROLLBACK)


@contextmanager
def _registry(options: argparse.Namespace) -> Iterator[tuple[Settings, ModelRows]]:
    """Give the settings and the registry, which knows what lies on this machine."""
    settings = read_settings(options.config)
    with opened_database(settings) as url:
        engine = connect(url)
        try:
            rows = ModelRows(engine)
            register_found(rows, settings)
            yield settings, rows
        finally:
            engine.dispose()


def _prove(model: RegisteredModel, settings: Settings) -> None:
    """Raise unless the files of a model are those that were registered, and it runs on this machine."""
    _try_out(load_registered(model), settings)


def _try_out(bundle: Bundle, settings: Settings) -> None:
    analyser = analyser_of(settings)
    analyser.put_in_service(bundle)
    analyser.warm_up()


def _move(
    options: argparse.Namespace, rows: ModelRows, model: RegisteredModel, state: ModelState, action: ModelAction
) -> int:
    displaced = rows.move(model.id, state, action, _decision(options.by, options.why))
    now = next(one for one in rows.all() if one.id == model.id)
    answer = {**_as_object(now), "in_place_of": None if displaced is None else _identity(displaced)}
    instead = "" if displaced is None else f"\nin place of {_full_name(displaced)}, which is retired"
    _print(options, answer, f"{_line(now)}{instead}")
    return 0


def _decision(by: str, why: str) -> Decision:
    return Decision(by or _account(), SystemClock().now(), why)


def _account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _verified(identity: dict[str, Any], state: ModelState | None, problems: tuple[str, ...]) -> dict[str, Any]:
    return {**identity, "state": state, "ok": not problems, "problems": list(problems)}


def _verdict(one: dict[str, Any]) -> str:
    version = f"@{one['version']}-{one['digest'][:12]}" if one["version"] else ""
    first = f"{'ok  ' if one['ok'] else 'FAIL'}  {one['name']}{version}  {one['state'] or 'never registered'}"
    return "\n".join([first, *(f"      {problem}" for problem in one["problems"])])


def _full_name(model: RegisteredModel) -> str:
    return full_name(model.record.identity)


def _identity(model: RegisteredModel) -> dict[str, Any]:
    identity = model.record.identity
    return {"name": identity.name, "version": identity.version, "digest": identity.digest}


def _licence(model: RegisteredModel) -> dict[str, Any]:
    return {"licence": model.record.licence, "research_only": is_research_only(model.record.licence)}


def _as_object(model: RegisteredModel) -> dict[str, Any]:
    return {
        **_identity(model),
        "task": model.record.task,
        "state": model.state,
        **_licence(model),
        "origin": model.record.origin,
        "folder": str(Path(model.record.folder)),
        "registered_at": model.registered_at.isoformat(),
    }


def _change(entry: HistoryEntry) -> dict[str, Any]:
    return {
        "action": entry.action,
        "before": entry.before,
        "after": entry.after,
        "by": entry.decision.by,
        "at": entry.decision.at.isoformat(),
        "why": entry.decision.why,
    }


def _line(model: RegisteredModel) -> str:
    record = model.record
    return f"{model.state:8}  {_full_name(model)}  {record.task}  [{licence_words(record.licence)}]"


def _print(options: argparse.Namespace, answer: object, text: str | None = None) -> None:
    """Print the answer as one JSON document, or `text` where a person reads."""
    if options.json or text is None:
        text = json.dumps(answer, indent=None if options.json else 2, ensure_ascii=False)
    sys.stdout.write(f"{text}\n" if text else "")
