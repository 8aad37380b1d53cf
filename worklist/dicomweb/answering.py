"""What the routes of DICOMweb share: who may, what is noted, and where things are."""

from typing import Annotated, Any

from fastapi import Path, Request, Security
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from worklist.access import may
from worklist.auth import Identity
from worklist.dicomweb.attributes import MEDIA_TYPE
from worklist.dicomweb.multipart import accepted_types
from worklist.dicomweb.ports import DicomWebServices, StoredInstance
from worklist.roles import Permission
from worklist.routes.listing import Uid

PREFIX = "/dicom-web"
UidInPath = Annotated[Uid, Path()]
Searcher = Annotated[Identity, Security(may(Permission.SEE_LIST))]
Looker = Annotated[Identity, Security(may(Permission.SEE_IMAGES))]
Storer = Annotated[Identity, Security(may(Permission.STORE_IMAGES))]


def web_of(request: Request) -> DicomWebServices:
    """Return what DICOMweb works with."""
    services: DicomWebServices = request.app.state.services.dicomweb
    return services


def base_of(request: Request) -> str:
    """Return the address of the service, as the client knows it."""
    return f"{str(request.base_url).rstrip('/')}{PREFIX}"


def stored(request: Request, study: str, series: str | None = None, image: str | None = None) -> list[StoredInstance]:
    """Return the instances that an address names; 404 where there is none."""
    found = list(web_of(request).index.instances(study, series, image))
    if not found:
        raise HTTPException(404, "nothing with these UIDs has been received")
    return found


def require_json(request: Request) -> None:
    """Answer 406 unless the client takes DICOM JSON (PS3.18 8.7.3)."""
    taken = {media for media, _ in accepted_types(request.headers.get("accept", ""))}
    if taken.isdisjoint({MEDIA_TYPE, "application/json", "application/*", "*/*"}):
        raise HTTPException(406, f"only {MEDIA_TYPE} can be returned here")


def dicom_json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an answer in DICOM JSON."""
    return JSONResponse(content, status, headers, media_type=MEDIA_TYPE)
