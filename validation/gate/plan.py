"""The plan of a comparison: what is changed, what would be accepted, and the criteria that decide it."""

import hashlib
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from triage.errors import InvalidPlan

Words = Annotated[str, Field(min_length=1)]


class Measure(StrEnum):
    """What a criterion looks at, each per study and better when higher; rates at each model's active point."""

    AUC = "auc"
    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"
    ANSWERED = "answered"


class Of(StrEnum):
    """Whose figure it is: the candidate's alone, or the candidate's minus the reference's."""

    CANDIDATE = "candidate"
    DIFFERENCE = "difference"


class JudgedBy(StrEnum):
    """What must reach the limit: the lower end of the 95 % interval (a one-sided test at 2.5 %), or the value."""

    LOWER_LIMIT = "lower_limit"
    VALUE = "value"


class Missing(StrEnum):
    """What a study counts as that a model did not answer.

    Worst: wrong for the candidate; right for the reference where the candidate alone answered.
    """

    WORST = "worst"
    LEAVE_OUT = "leave_out"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Criterion(_Strict):
    """One condition; with `subgroups` it is held to each value of those columns that has `minimum_cases`."""

    name: Words
    measure: Measure
    of: Of = Of.DIFFERENCE
    at_least: float = Field(ge=-1, le=1)
    judged_by: JudgedBy = JudgedBy.LOWER_LIMIT
    subgroups: tuple[Words, ...] = ()
    minimum_cases: int = Field(default=10, ge=2)


class Plan(_Strict):
    """Everything that is fixed before the data are used.

    Source: FDA, Marketing Submission Recommendations for a Predetermined Change Control Plan (2024): description of
    modifications, modification protocol with acceptance criteria.
    """

    name: Words
    modification: Words
    acceptance: Words
    dataset_digest: str = ""
    missing: Missing = Missing.WORST
    criteria: tuple[Criterion, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_decisive(self) -> "Plan":
        names = [one.name for one in self.criteria]
        if len(set(names)) < len(names):
            raise ValueError("criteria: a name comes twice, needed each once")
        if all(one.subgroups for one in self.criteria):
            raise ValueError("criteria: all of them are about subgroups, needed one about all cases")
        return self


def read_plan(path: Path) -> tuple[Plan, str, str]:
    """Return the plan in a TOML file, its text and the SHA-256 of its bytes.

    Raises:
        InvalidPlan: the file cannot be read, or a key is missing, unknown or out of range.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
        plan = Plan.model_validate(tomllib.loads(text))
    except OSError as error:
        raise InvalidPlan(f"{path}: cannot be read ({error.strerror}), needed a plan") from error
    except ValidationError as error:
        raise InvalidPlan(f"{path.name}: {_first(error.errors()[0])}") from error
    except ValueError as error:
        raise InvalidPlan(f"{path.name}: {error}, needed TOML in UTF-8") from error
    return plan, text, hashlib.sha256(content).hexdigest()


def _first(problem: Any) -> str:
    place = ".".join(str(one) for one in problem["loc"])
    return f"{place}: {problem['msg']}" if place else str(problem["msg"]).removeprefix("Value error, ")
