"""What a new rule file changed: which rules came, went or say something else."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from triage.identifiers import Sha256


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The rule file as it was read at a start of the platform; no file has an empty `content`."""

    sha256: Sha256
    content: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What a file changed against the one before, by the names of rules; nothing where only remarks or order did."""

    at: datetime
    sha256: Sha256
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


def changes_of(before: str, files: Sequence[RuleFile]) -> Iterator[RuleChange]:
    """Yield what each file changed against the one before it, the first against the content `before`."""
    for file in files:
        yield change_between(before, file)
        before = file.content


def change_between(before: str, after: RuleFile) -> RuleChange:
    """Return what a file changed against the content before it; both were read without a mistake."""
    old, new = _by_name(before), _by_name(after.content)
    return RuleChange(
        at=after.read_at,
        sha256=after.sha256,
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=tuple(name for name in new if name in old and new[name] != old[name]),
    )


def _by_name(content: str) -> dict[str, Any]:
    return {one["name"]: one for one in tomllib.loads(content).get("rules", [])}
