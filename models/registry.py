"""The bundles of this installation: those shipped with the package and those of one extra folder."""

from itertools import pairwise
from pathlib import Path

from models.bundle import Bundle, load_bundle
from triage.errors import InvalidBundle


def installed_bundles(extra_folder: Path | None = None) -> tuple[Bundle, ...]:
    """Return every bundle, sorted by name: shipped ones, and those below `extra_folder`.

    Raises:
        InvalidBundle: a folder is not a sound bundle, or two bundles have the same name.
    """
    folders = [path for root in _roots(extra_folder) for path in sorted(root.iterdir()) if _may_be_bundle(path)]
    bundles = sorted((load_bundle(folder) for folder in folders), key=lambda bundle: bundle.identity.name)
    for first, second in pairwise(bundles):
        if first.identity.name == second.identity.name:
            raise InvalidBundle(f"{first.identity.name}: in {first.folder} and in {second.folder}, needed once")
    return tuple(bundles)


def find_bundle(name: str, extra_folder: Path | None = None) -> Bundle:
    """Return the bundle called `name`.

    Raises:
        InvalidBundle: there is none; the message names those that there are.
    """
    bundles = installed_bundles(extra_folder)
    for bundle in bundles:
        if bundle.identity.name == name:
            return bundle
    raise InvalidBundle(f"{name}: no such bundle, needed one of {', '.join(one.identity.name for one in bundles)}")


def _roots(extra_folder: Path | None) -> list[Path]:
    shipped = Path(__file__).parent / "bundles"
    if extra_folder is not None and not extra_folder.is_dir():
        raise InvalidBundle(f"{extra_folder}: not a folder, needed one that holds bundles")
    return [root for root in (shipped, extra_folder) if root is not None and root.is_dir()]


def _may_be_bundle(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith((".", "_"))
