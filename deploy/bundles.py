"""Which bundles lie on this machine, which of them are registered, and which are in service."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Engine

from deploy.clock import SystemClock
from deploy.settings import Settings
from models.bundle import Bundle
from models.integrity import differences, file_digests
from models.lifecycle import Decision, ModelRecord, RegisteredModel, record_of
from models.registry import BundlePlace, bundle_places, find_bundle, full_name
from models.signature import TrustedKey, trusted_key
from storage.model_registry import ModelRows
from triage.errors import InvalidBundle
from triage.findings import ModelIdentity
from triage.ports import ModelOffer

log = structlog.get_logger(__name__)

ACUITY = "acuity"
"""Who decided, where nobody did: a start or an upgrade."""


def installed_folder(settings: Settings) -> Path:
    """Return the folder that `acuity models install` writes to."""
    return settings.home / "models"


def trusted_keys(settings: Settings) -> tuple[TrustedKey, ...]:
    """Return the keys of those whose bundles are taken, none where everybody's are; raises InvalidSetting."""
    return tuple(trusted_key(Path(one)) for one in settings.file.models.trusted_keys)


def places_of(settings: Settings) -> tuple[BundlePlace, ...]:
    """Return where bundles lie on this machine; raises InvalidBundle."""
    return bundle_places(_extra_folder(settings), installed_folder(settings), trusted_keys(settings))


def bundle_called(wanted: str, settings: Settings) -> Bundle:
    """Return the bundle that `wanted` means, without a database; raises InvalidBundle."""
    return find_bundle(wanted, _extra_folder(settings), installed_folder(settings), trusted_keys(settings))


def sound_bundles(settings: Settings) -> tuple[Bundle, ...]:
    """Return the bundles of this machine that verify; raises InvalidBundle where the settings name no folder."""
    found = []
    for place in places_of(settings):
        with suppress(InvalidBundle):
            found.append(place.load())
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Found:
    """What the bundles of this machine were: new to the registry, or not what they should be, with the reason."""

    added: tuple[RegisteredModel, ...]
    broken: tuple[tuple[BundlePlace, str], ...]

    def tell(self) -> None:
        """Write it to the log."""
        for model in self.added:
            log.info("model_registered", model=full_name(model.record.identity), state=model.state.value)
        for place, problem in self.broken:
            log.error("bundle_does_not_verify", model=place.name, reason=problem)


def register_found(rows: ModelRows, settings: Settings) -> Found:
    """Make the bundles of this machine known to the registry, but for those that do not verify.

    Raises:
        InvalidBundle: the folders of bundles contradict the settings.
    """
    sound: dict[ModelIdentity, ModelRecord] = {}
    broken = []
    for place in places_of(settings):
        try:
            record = record_of(place.load(), place.origin)
        except InvalidBundle as error:
            broken.append((place, str(error)))
        else:
            # The same bundle may be shipped and installed; the first place is the one that an upgrade changes.
            sound.setdefault(record.identity, record)
    added = rows.register(tuple(sound.values()), Decision(ACUITY, SystemClock().now(), "found on this machine"))
    return Found(added, tuple(broken))


def register_at_start(rows: ModelRows, settings: Settings) -> None:
    """Register what lies on this machine; refuse to start where a broken bundle was never registered.

    No study would tell of that one. One that was registered is no reason to stop: its studies fail, each with the
    reason, and all others go on.

    Raises:
        InvalidBundle: there is one that was never registered; the message names the file.
    """
    found = register_found(rows, settings)
    found.tell()
    known = {one.record.identity.name for one in rows.all()}
    for place, problem in found.broken:
        if place.name not in known:
            raise InvalidBundle(problem)


def load_registered(model: RegisteredModel, settings: Settings) -> Bundle:
    """Return the bundle of a registered model, its files being those that were registered.

    Raises:
        InvalidBundle: a file is not the one that was registered; the message names it. Or nobody who is trusted has
            signed it.
    """
    if problems := problems_of(model, settings):
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InvalidBundle(f"{full_name(model.record.identity)}: {problems[0]}{more}")
    return place_of(model, settings).load()


def problems_of(model: RegisteredModel, settings: Settings) -> tuple[str, ...]:
    """Return what is wrong with the files of a registered model, one line for each; none when it verifies."""
    folder = Path(model.record.folder)
    if not folder.is_dir():
        return (f"{folder}: no such folder, needed the bundle",)
    try:
        changed = differences(file_digests(folder), model.record.files)
        if not changed:
            place_of(model, settings).load()
    except InvalidBundle as error:
        return (str(error),)
    return changed


def place_of(model: RegisteredModel, settings: Settings) -> BundlePlace:
    """Return where the bundle of a registered model lies."""
    return BundlePlace(
        Path(model.record.folder), model.record.identity.name, model.record.origin, trusted_keys(settings)
    )


def offers_of(engine: Engine) -> tuple[ModelOffer, ...]:
    """Return what the active models may see, as it was registered: no file is read."""
    return tuple(offer_of(one) for one in ModelRows(engine).active())


def offer_of(model: RegisteredModel) -> ModelOffer:
    """Return what one model may see."""
    return ModelOffer(model.record.identity, model.record.acceptance, model.record.task)


def _extra_folder(settings: Settings) -> Path | None:
    extra = settings.file.inference.bundles
    return Path(extra) if extra else None
