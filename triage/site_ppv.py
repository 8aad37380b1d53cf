"""How often a flag of a model was right at one site, as its readers answered it."""

from dataclasses import dataclass

from triage.reading import Answer


@dataclass(frozen=True, slots=True)
class AnsweredFlag:
    """One study on which a model flagged a finding, its patient, and each reader's newest answer."""

    patient: str
    answers: tuple[Answer, ...] = ()

    @property
    def confirmed(self) -> bool | None:
        """Whether the finding is there, be it elsewhere, as readers say; None where nobody answered or they differ."""
        said = {answer is not Answer.REJECT for answer in self.answers}
        return said.pop() if len(said) == 1 else None


@dataclass(frozen=True, slots=True)
class SitePpv:
    """The site's own PPV: of `flagged` studies of the last `days` readers answered some, and confirmed some of these.

    `value` and `interval` are None below `fewest_answered`: a share of so few says nothing.
    """

    days: int
    fewest_answered: int
    flagged: int = 0
    answered: int = 0
    confirmed: int = 0
    value: float | None = None
    interval: tuple[float, float] | None = None
