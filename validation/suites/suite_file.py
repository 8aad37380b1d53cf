"""What a suite file says: on what a bundle is measured, with which parts, and what it must reach."""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from triage.errors import InvalidDataset
from validation.suites.alterations import KINDS

SHIPPED = Path(__file__).parent
"""Where the suites of the shipped bundles lie, each named as its bundle."""

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Standalone(_Table):
    """The bundle on the whole set, as `acuity validate run` measures it."""


class Subgroups(_Table):
    """Each value of these columns against all others; only groups with so many cases of each kind are tested."""

    columns: tuple[str, ...] = ()
    min_positive: Count = 10
    min_negative: Count = 10
    alpha: Share = 0.05


class Robustness(_Table):
    """Altered images of so many studies of each kind; an AUC surely lower by more than `tolerance` is a finding.

    `severities` by kind of alteration, see `alterations`; `noise_at_full_dose` in units of stored values.
    """

    positive: Count = 30
    negative: Count = 30
    tolerance: float = Field(default=0.05, ge=0)
    noise_at_full_dose: float = Field(default=5.0, gt=0)
    severities: dict[str, tuple[float, ...]] = {}


class Probes(_Table):
    """Questions that can be answered without the lesion; their AUC must not surely exceed `max_auc`.

    `frame` is the share of each side that counts as frame.
    """

    positive: Count = 30
    negative: Count = 30
    max_auc: Share = 0.75
    frame: float = Field(default=0.1, gt=0, lt=0.5)


class Machine(_Table):
    """Determinism, device parity and throughput on so many studies; `tolerance` of a probability."""

    studies: Count = 8
    tolerance: float = Field(default=1e-3, ge=0)


class GateSet(_Table):
    """Another set, beside the main one, that must be refused; `disguised` gives it the headers of the main set."""

    data: str
    studies: Count = 20
    disguised: bool = False


class Gate(_Table):
    """Out-of-scope images, of which so large a share must be refused."""

    sets: tuple[GateSet, ...] = ()
    min_refused: float = Field(default=0.9, ge=0, le=1)


class Leakage(_Table):
    """`split` is the column that says to which part a row belongs; `others` are sets beside the main one."""

    split: str | None = None
    others: tuple[str, ...] = ()


class Criterion(_Table):
    """A figure of the document of a part, by its dotted path, and its limits."""

    part: str
    figure: str
    at_least: float | None = None
    at_most: float | None = None


class Suite(_Table):
    """A suite; parts that are absent do not run. `data` is relative to the file."""

    name: str
    bundle: str
    data: str | None = None
    seed: int = 1
    standalone: Standalone | None = None
    subgroups: Subgroups | None = None
    robustness: Robustness | None = None
    probes: Probes | None = None
    machine: Machine | None = None
    gate: Gate | None = None
    leakage: Leakage | None = None
    criteria: tuple[Criterion, ...] = ()

    @property
    def digest(self) -> str:
        """The SHA-256 of what the suite says, whatever the form of the file."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts that run, in this order."""
        return tuple(name for name in PARTS if getattr(self, name) is not None)


PARTS = ("leakage", "standalone", "subgroups", "robustness", "probes", "machine", "gate")


def read_suite(wanted: str) -> tuple[Suite, Path]:
    """Return the suite that `wanted` means, a file or the name of a shipped one, and the file.

    Raises:
        InvalidDataset: there is none, it is no TOML, a key is unknown or a value does not fit.
    """
    shipped = SHIPPED / f"{wanted}.toml"
    path = shipped if "/" not in wanted and shipped.is_file() else Path(wanted)
    try:
        suite = Suite.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        names = ", ".join(sorted(one.stem for one in SHIPPED.glob("*.toml")))
        raise InvalidDataset(f"{wanted}: {error.strerror}, needed a suite file or one of {names}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidDataset(f"{path.name}: {place}: {first['msg']}, found {first['input']!r}") from error
    except ValueError as error:
        raise InvalidDataset(f"{path.name}: {error}, needed TOML") from error
    _require_sense(suite, path.name)
    return suite, path


def _require_sense(suite: Suite, label: str) -> None:
    for number, one in enumerate(suite.criteria):
        if one.part not in suite.parts:
            needed = ", ".join(suite.parts) or "a part"
            raise InvalidDataset(f"{label}: criteria.{number}.part: found {one.part!r}, needed one that runs: {needed}")
        if one.at_least is None and one.at_most is None:
            raise InvalidDataset(f"{label}: criteria.{number}: no limit, needed at_least or at_most")
    for kind in suite.robustness.severities if suite.robustness else ():
        if kind not in KINDS:
            raise InvalidDataset(f"{label}: robustness.severities: found {kind!r}, needed some of {', '.join(KINDS)}")
    if not suite.criteria:
        raise InvalidDataset(f"{label}: criteria: none, needed one at least: a suite decides")
