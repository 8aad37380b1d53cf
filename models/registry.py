"""Where bundles lie: shipped with the package, in one extra folder of the settings, or installed in the data folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from models.bundle import Bundle, load_bundle
from models.signature import TrustedKey, require_signed
from triage.errors import InvalidBundle
from triage.findings import ModelIdentity


class Origin(StrEnum):
    """How a bundle came here."""

    SHIPPED = "shipped"
    FOLDER = "folder"
    INSTALLED = "installed"


@dataclass(frozen=True, slots=True)
class BundlePlace:
    """A folder that should hold the bundle called `name`; with `trusted` keys, one that does not ship is signed."""

    folder: Path
    name: str
    origin: Origin
    trusted: tuple[TrustedKey, ...] = ()

    def load(self) -> Bundle:
        """Return the bundle; raises InvalidBundle."""
        if self.trusted and self.origin is not Origin.SHIPPED:
            require_signed(self.folder, self.name, self.trusted)
        return load_bundle(self.folder, self.name)


def bundle_places(
    extra_folder: Path | None = None, installed_folder: Path | None = None, trusted: Sequence[TrustedKey] = ()
) -> tuple[BundlePlace, ...]:
    """Return every place, sorted by name: shipped, below `extra_folder`, and NAME/VERSION-DIGEST in `installed_folder`.

    Raises:
        InvalidBundle: `extra_folder` is not there, or a name is both shipped and in it.
    """
    if extra_folder is not None and not extra_folder.is_dir():
        raise InvalidBundle(f"{extra_folder}: not a folder, needed one that holds bundles")
    shipped = [BundlePlace(path, path.name, Origin.SHIPPED) for path in _folders(Path(__file__).parent / "bundles")]
    extra = [BundlePlace(path, path.name, Origin.FOLDER, tuple(trusted)) for path in _folders(extra_folder)]
    for one in shipped:
        for other in extra:
            if one.name == other.name:
                raise InvalidBundle(f"{one.name}: in {one.folder} and in {other.folder}, needed once")
    placed = [(named.name, path) for named in _folders(installed_folder) for path in _folders(named)]
    installed = [BundlePlace(path, name, Origin.INSTALLED, tuple(trusted)) for name, path in placed]
    return tuple(sorted([*shipped, *extra, *installed], key=lambda place: place.name))


def find_bundle(
    wanted: str,
    extra_folder: Path | None = None,
    installed_folder: Path | None = None,
    trusted: Sequence[TrustedKey] = (),
) -> Bundle:
    """Return the bundle `wanted`, in the words that `fits` knows; a name alone means the shipped one if there is one.

    Raises:
        InvalidBundle: there is none, with the names of those that there are; or more than one installed version fits.
    """
    name, _, version = wanted.partition("@")
    places = bundle_places(extra_folder, installed_folder, trusted)
    named = [place for place in places if place.name == name]
    at_hand = [place for place in named if place.origin is not Origin.INSTALLED]
    loaded = [place.load() for place in (named if version else at_hand or named)]
    fitting = [bundle for bundle in loaded if fits(wanted, bundle.identity)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        known = ", ".join(sorted({place.name for place in places}))
        raise InvalidBundle(f"{wanted}: no such bundle, needed one of {known}")
    several = ", ".join(full_name(bundle.identity) for bundle in fitting)
    raise InvalidBundle(f"{wanted}: fits {several}, needed one of them")


def fits(wanted: str, model: ModelIdentity) -> bool:
    """Return whether `wanted` means `model`: NAME, NAME@VERSION, NAME@DIGEST (6 digits or more), or its full name."""
    name, _, which = wanted.partition("@")
    by_digest = len(which) >= 6 and model.digest.startswith(which)
    return name == model.name and (not which or which == model.version or by_digest or wanted == full_name(model))


def full_name(model: ModelIdentity) -> str:
    """Return NAME@VERSION-DIGEST with 12 digits, which means one model alone."""
    return f"{model.name}@{model.version}-{model.digest[:12]}"


def _folders(root: Path | None) -> list[Path]:
    if root is None or not root.is_dir():
        return []
    return [path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith((".", "_"))]
