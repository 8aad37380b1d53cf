"""What somebody chooses of the page, kept with the account, so that it is there on every workstation."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Security
from pydantic import BaseModel, ConfigDict, Field

from worklist.access import identity_of
from worklist.administration_ports import Preferences
from worklist.auth import Identity

router = APIRouter(prefix="/api/v1/preferences", tags=["preferences"])

Somebody = Annotated[Identity, Security(identity_of)]
Command = Annotated[str, Field(pattern="^[a-z_]{1,32}$")]
Key = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f\x7f]$", description="one visible sign")]


class Chosen(BaseModel):
    """What is chosen; None where the page's own default holds."""

    model_config = ConfigDict(extra="forbid")

    language: Literal["en", "de"] | None = None
    theme: Literal["system", "dark", "light"] | None = None
    keys: dict[Command, Key] | None = Field(None, max_length=64, description="the key of each command")
    letter_keys: bool | None = Field(None, description="whether keys that are single signs do anything")


@router.get("")
def preferences(request: Request, identity: Somebody) -> Chosen:
    """Return what whoever asks has chosen."""
    return Chosen.model_validate(_preferences(request).of(identity.name))


@router.patch("", status_code=204)
def choose(request: Request, identity: Somebody, chosen: Chosen) -> None:
    """Keep what is named; the rest stays, and null brings the default back. 409 for API tokens."""
    _preferences(request).choose(identity.name, chosen.model_dump(exclude_unset=True))


def _preferences(request: Request) -> Preferences:
    kept: Preferences = request.app.state.services.preferences
    return kept
