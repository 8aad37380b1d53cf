"""What a bundle's licence means for those who see the model listed."""

import re

RESEARCH_ONLY_WORDS = re.compile(r"\bNC\b|non-?commercial|research[- ](use )?only", re.IGNORECASE)


def is_research_only(licence: str) -> bool:
    """Return whether a licence, as CC-BY-NC-SA-4.0, forbids use beyond research and other non-commercial work."""
    return RESEARCH_ONLY_WORDS.search(licence) is not None


def licence_words(licence: str) -> str:
    """Return the licence as it is shown wherever a model is listed: a research-only one says so."""
    return f"{licence}, research use only" if is_research_only(licence) else licence
