"""How often a flag of a model was right at one site, as its readers answered it."""

from dataclasses import dataclass

from triage.reading import Answer


@dataclass(frozen=True, slots=True)
class AnsweredFlag:
    """One flagged finding of one version of a model on one study, and each reader's newest answer to it.

    `code` and `scheme` name the finding; `site` is the institution, as the scanner writes it.
    """

    model_digest: str
    code: str
    scheme: str
    site: str
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
