"""Which model bundles are in service."""

from pathlib import Path

from deploy.settings import Settings
from models.bundle import Bundle
from models.registry import bundle_places
from triage.ports import ModelOffer


def bundles_of(settings: Settings) -> tuple[Bundle, ...]:
    """Return the shipped bundles and those of the settings' folder; raises InvalidBundle."""
    extra = settings.file.inference.bundles
    return tuple(place.load() for place in bundle_places(Path(extra) if extra else None))


def offers_of(settings: Settings) -> tuple[ModelOffer, ...]:
    """Return what the bundles in service may see, without loading their weights."""
    return tuple(ModelOffer(one.identity, one.spec.accepts, one.spec.task) for one in bundles_of(settings))
