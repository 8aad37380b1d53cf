"""What a rehearsal plays: scanners, a model, and dated troubles, read from a TOML file."""

import tomllib
from collections.abc import Sequence
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from triage.errors import InvalidDataset


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scanner(_Table):
    """One scanner on its usual days."""

    ae_title: str = Field(min_length=1, max_length=16)
    studies_per_day: float = Field(gt=0, le=500)
    device: str = "Alpha Harrier 64"
    software: str = "VA20"
    protocol: str = "Head routine"
    kernel: str = "H31s"
    slice_thickness_mm: float = Field(5.0, gt=0)
    pixel_spacing_mm: float = Field(0.45, gt=0)
    exposure_mas: float = Field(250.0, gt=0)
    prevalence: float = Field(0.1, gt=0, lt=1)


class Model(_Table):
    """The model: `separation` is d', the distance of positives and negatives in standard deviations.

    With an `embedding_size` each study has an embedding of so many standard normal coordinates.
    """

    name: str = "rehearsed 1.0.0"
    separation: float = Field(2.2, gt=0)
    prevalence: float = Field(0.1, gt=0, lt=1)
    threshold_logit: float = -1.4
    novelty_limit: float = Field(2.2, gt=0)
    embedding_size: int = Field(0, ge=0, le=256)


class Trouble(_Table):
    """What goes wrong, where (no scanner: everywhere), from which day to which (none: to the end).

    `to` is the new kernel or device; `amount` the factor of the dose, the new prevalence, or the new separation.
    """

    kind: Literal["kernel", "vendor", "dose", "logo", "prevalence", "mute", "model"]
    scanner: str = ""
    begins: date
    ends: date | None = None
    to: str = ""
    amount: float = Field(0.0, ge=0)

    def acts_on(self, day: date) -> bool:
        """Return whether the trouble is there on this day; its last day is whole."""
        return self.begins <= day and (self.ends is None or day <= self.ends)

    @model_validator(mode="after")
    def _whole(self) -> "Trouble":
        if self.kind in ("kernel", "vendor") and not self.to:
            raise ValueError(f"{self.kind}: needed `to`, what it becomes")
        if self.kind in ("dose", "prevalence", "model") and not self.amount:
            raise ValueError(f"{self.kind}: needed `amount`")
        if self.kind == "prevalence" and self.amount >= 1:
            raise ValueError(f"prevalence: found {self.amount:g}, needed below 1")
        return self


class Scenario(_Table):
    """The whole file."""

    start: date
    days: int = Field(ge=2, le=3660)
    seed: int = Field(1, ge=0)
    site: str = "Rehearsal"
    baseline_days: int = Field(90, ge=28)
    scanners: tuple[Scanner, ...] = Field(min_length=1)
    model: Model = Model()
    troubles: tuple[Trouble, ...] = ()

    def acting_on(self, scanner: Scanner, day: date) -> list[Trouble]:
        """Return what is wrong with a scanner on a day."""
        return [one for one in self.troubles if one.scanner in ("", scanner.ae_title) and one.acts_on(day)]

    @model_validator(mode="after")
    def _known_scanners(self) -> "Scenario":
        known = {one.ae_title for one in self.scanners}
        if len(known) < len(self.scanners):
            raise ValueError("scanners: two have one ae_title")
        for one in self.troubles:
            if one.scanner not in {"", *known}:
                raise ValueError(f"troubles: scanner {one.scanner!r} is none of {', '.join(sorted(known))}")
        return self


def changed(scanner: Scanner, acting: Sequence[Trouble]) -> Scanner:
    """Return a scanner as it is while troubles act on it."""
    for one in acting:
        if one.kind == "kernel":
            scanner = scanner.model_copy(update={"kernel": one.to})
        elif one.kind == "vendor":
            scanner = scanner.model_copy(update={"device": one.to, "software": f"{one.to} 1.0"})
        elif one.kind == "dose":
            scanner = scanner.model_copy(update={"exposure_mas": scanner.exposure_mas * one.amount})
        elif one.kind == "prevalence":
            scanner = scanner.model_copy(update={"prevalence": one.amount})
    return scanner


def shipped_scenarios() -> tuple[str, ...]:
    """Return the names of the scenarios that come with Acuity."""
    return tuple(sorted(one.name.removesuffix(".toml") for one in _shipped().iterdir() if one.name.endswith(".toml")))


def read_scenario(path: Path) -> Scenario:
    """Return the scenario of a file, or the one that is shipped under this name.

    Raises:
        InvalidDataset: there is none, or a value is missing or wrong; all of them are named.
    """
    name = str(path)
    if name in shipped_scenarios():
        return _parsed((_shipped() / f"{name}.toml").read_text(encoding="utf-8"), name)
    if not path.is_file():
        raise InvalidDataset(f"{path}: no such file, and no scenario of this name: {', '.join(shipped_scenarios())}")
    return _parsed(path.read_text(encoding="utf-8", errors="replace"), path.name)


def _shipped() -> Traversable:
    return files("validation.drift") / "scenarios"


def _parsed(text: str, name: str) -> Scenario:
    try:
        return Scenario.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InvalidDataset(f"{name}: no TOML: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InvalidDataset(f"{name}: {mistakes}") from error
