"""How often a test set has decided something: each decision uses some of its independence up."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from triage.errors import InvalidDataset

LEDGER_FILE = "test-set-uses.jsonl"


@dataclass(frozen=True, slots=True)
class Use:
    """One decision on one set; `by` is the suite or the plan that decided, with its digest, `at` an ISO time in UTC."""

    dataset_digest: str
    dataset: str
    bundle: str
    bundle_digest: str
    by: str
    passed: bool
    at: str


@dataclass(frozen=True, slots=True)
class Uses:
    """How many decisions a set has taken part in, over how many bundle versions and how many plans."""

    decisions: int
    bundles: int
    plans: int
    first_at: str | None


def record_use(folder: Path, use: Use) -> None:
    """Append `use` to the ledger in `folder`; the same decision on the same things counts once.

    Raises:
        InvalidDataset: the ledger cannot be read or written.
    """
    if any(_same(one, use) for one in _read(folder)):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LEDGER_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(use)) + "\n")
    except OSError as error:
        raise InvalidDataset(f"{folder / LEDGER_FILE}: {error.strerror}, needed a ledger to write to") from error


def uses_of(folder: Path, dataset_digest: str) -> Uses:
    """Return how often the set of this digest has decided something here.

    Raises:
        InvalidDataset: the ledger cannot be read.
    """
    uses = [one for one in _read(folder) if one.dataset_digest == dataset_digest]
    bundles, plans = {one.bundle_digest for one in uses}, {one.by for one in uses}
    first = min((datetime.fromisoformat(one.at) for one in uses), default=None)
    return Uses(len(uses), len(bundles), len(plans), first.isoformat() if first else None)


def _same(one: Use, other: Use) -> bool:
    keys = ("dataset_digest", "bundle_digest", "by", "passed")
    return all(getattr(one, key) == getattr(other, key) for key in keys)


def _read(folder: Path) -> list[Use]:
    path = folder / LEDGER_FILE
    if not path.exists():
        return []
    try:
        return [Use(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, TypeError) as error:
        raise InvalidDataset(f"{path}: {error}, needed one use of a test set per line") from error
