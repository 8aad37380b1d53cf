"""What `acuity models` answers: list, show, verify, card; and seal and sign, which need no registry."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.bundles import load_registered, problems_of, register_found
from deploy.opened import opened_database
from deploy.settings import Settings, read_settings
from models.bundle import CARD_FILE
from models.integrity import digest_of, seal
from models.licence import is_research_only, licence_words
from models.lifecycle import HistoryEntry, ModelState, RegisteredModel, choose
from models.measured_here import with_measured
from models.registry import full_name
from models.signature import sign
from storage.database import connect
from storage.evidence import EvidenceRows
from storage.model_registry import ModelRows
from triage.errors import InvalidBundle

IN_USE = frozenset({ModelState.ACTIVE})


def list_models(options: argparse.Namespace) -> int:
    """Print every registered model."""
    with registry(options) as (_, rows):
        known = rows.all()
    print_answer(options, [as_object(one) for one in known], "\n".join(map(line_of, known)))
    return 0


def verify_models(options: argparse.Namespace) -> int:
    """Print what is wrong with the files of every model, or of one; 1 when anything is."""
    with registry(options) as (settings, rows):
        known = rows.all()
        broken = register_found(rows, settings).broken
    chosen = [choose(options.model, known, IN_USE)] if options.model else known
    answer = [_verified(identity_of(one), one.state, problems_of(one, settings)) for one in chosen]
    if not options.model:
        told = {one.record.folder for one in known}
        nobody = {"version": None, "digest": None}
        unknown = [(place, problem) for place, problem in broken if str(place.folder) not in told]
        answer += [_verified({"name": place.name, **nobody}, None, (problem,)) for place, problem in unknown]
    print_answer(options, answer, "\n".join(map(_verdict, answer)))
    return 0 if all(one["ok"] for one in answer) else 1


def show_model(options: argparse.Namespace) -> int:
    """Print one model with its files and its history."""
    with registry(options) as (_, rows):
        model = choose(options.model, rows.all(), IN_USE)
        history = [_change(one) for one in rows.history() if one.model_id == model.id]
    print_answer(options, {**as_object(model), "files": dict(model.record.files), "history": history})
    return 0


def card_model(options: argparse.Namespace) -> int:
    """Print the card of one model, and what was measured of it here."""
    with registry(options) as (settings, rows):
        model = choose(options.model, rows.all(), IN_USE)
        written = (load_registered(model, settings).folder / CARD_FILE).read_text(encoding="utf-8")
        card = with_measured(written, EvidenceRows(rows.engine), model.record.identity.digest)
    print_answer(options, {**identity_of(model), **_licence(model), "card": card}, f"{line_of(model)}\n\n{card}")
    return 0


def seal_model(options: argparse.Namespace) -> int:
    """Write the digests of a bundle that somebody made by hand."""
    if not options.folder.is_dir():
        raise InvalidBundle(f"{options.folder}: not a folder, needed one with a bundle")
    files = seal(options.folder)
    print_answer(options, {"digest": digest_of(files), "files": dict(files)}, f"{len(files)} files, {digest_of(files)}")
    return 0


def sign_model(options: argparse.Namespace) -> int:
    """Seal a bundle and sign its digests."""
    if not options.folder.is_dir():
        raise InvalidBundle(f"{options.folder}: not a folder, needed one with a bundle")
    fingerprint = sign(options.folder, options.key)
    print_answer(options, {"signed_by": fingerprint}, f"signed by {fingerprint}")
    return 0


@contextmanager
def registry(options: argparse.Namespace) -> Iterator[tuple[Settings, ModelRows]]:
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


def _verified(identity: dict[str, Any], state: ModelState | None, problems: tuple[str, ...]) -> dict[str, Any]:
    return {**identity, "state": state, "ok": not problems, "problems": list(problems)}


def _verdict(one: dict[str, Any]) -> str:
    version = f"@{one['version']}-{one['digest'][:12]}" if one["version"] else ""
    first = f"{'ok  ' if one['ok'] else 'FAIL'}  {one['name']}{version}  {one['state'] or 'never registered'}"
    return "\n".join([first, *(f"      {problem}" for problem in one["problems"])])


def name_of(model: RegisteredModel) -> str:
    """Return NAME@VERSION-DIGEST."""
    return full_name(model.record.identity)


def identity_of(model: RegisteredModel) -> dict[str, Any]:
    """Return name, version and digest, as JSON shows them."""
    identity = model.record.identity
    return {"name": identity.name, "version": identity.version, "digest": identity.digest}


def _licence(model: RegisteredModel) -> dict[str, Any]:
    return {"licence": model.record.licence, "research_only": is_research_only(model.record.licence)}


def as_object(model: RegisteredModel) -> dict[str, Any]:
    """Return a model as JSON shows it."""
    return {
        **identity_of(model),
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


def line_of(model: RegisteredModel) -> str:
    """Return a model as a person reads it, its licence always with it."""
    record = model.record
    return f"{model.state:8}  {name_of(model)}  {record.task}  [{licence_words(record.licence)}]"


def print_answer(options: argparse.Namespace, answer: object, text: str | None = None) -> None:
    """Print the answer as one JSON document, or `text` where a person reads."""
    if options.json or text is None:
        text = json.dumps(answer, indent=None if options.json else 2, ensure_ascii=False)
    sys.stdout.write(f"{text}\n" if text else "")
