"""Saved views: the filters that somebody keeps under a name; what is searched for is never among them."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from worklist.administration_ports import SavedViews
from worklist.routes.listing import Looker

router = APIRouter(prefix="/api/v1/views", tags=["views"])

Name = Annotated[str, Path(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f/]+$")]
Site = Annotated[str, Field(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Filters(BaseModel):
    """What narrows the list, in the words of the page's address; empty demands nothing."""

    model_config = ConfigDict(extra="forbid")

    band: str = Field("", pattern="^(CRITICAL|URGENT|ROUTINE)?$")
    modality: str = Field("", pattern="^[A-Z0-9]{0,16}$")
    ai: str = Field("", pattern="^(pending|analysed_flagged|analysed_no_flag|out_of_scope|failed)?$")
    reading: str = Field("", pattern="^(read|all)?$")
    owner: Site = ""
    site: Site = ""


class ViewList(BaseModel):
    """The views by name."""

    views: dict[str, Filters]


@router.get("")
def views(request: Request, identity: Looker) -> ViewList:
    """Return the views of whoever asks."""
    return ViewList.model_validate({"views": _views(request).of(identity.name)})


@router.put("/{name}", status_code=204)
def keep(request: Request, identity: Looker, name: Name, filters: Filters) -> None:
    """Keep a view; 409 for API tokens, and where there are 100 already."""
    _views(request).keep(identity.name, name, filters.model_dump(exclude_defaults=True))


@router.delete("/{name}", status_code=204)
def forget(request: Request, identity: Looker, name: Name) -> None:
    """Remove a view."""
    _views(request).forget(identity.name, name)


def _views(request: Request) -> SavedViews:
    kept: SavedViews = request.app.state.services.views
    return kept
