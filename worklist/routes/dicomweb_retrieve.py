"""WADO-RS: stored instances, their metadata, frames and pictures (PS3.18 section 10.4)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from triage.audit import AuditAction
from triage.errors import UnreadableInstance
from triage.identifiers import StudyInstanceUid
from worklist.access import noting_of
from worklist.auth import Identity
from worklist.dicomweb.answering import (
    PREFIX,
    Looker,
    UidInPath,
    base_of,
    dicom_json,
    require_json,
    stored,
    web_of,
)
from worklist.dicomweb.multipart import accepted_types
from worklist.dicomweb.ports import BulkData, StoredInstance

router = APIRouter(prefix=PREFIX, tags=["dicomweb"])

PIECE_BYTES = 1 << 18
DICOM, OCTETS = "application/dicom", "application/octet-stream"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
UNCOMPRESSED = ("*", "", EXPLICIT_LITTLE_ENDIAN)
_INSTANCE = "/studies/{study}/series/{series}/instances/{image}"

FrameList = Annotated[str, InPath(pattern=r"^[1-9][0-9]{0,5}(,[1-9][0-9]{0,5}){0,999}$")]
Tag = Annotated[str, InPath(pattern=r"^[0-9A-Fa-f]{8}$")]
WindowWords = Annotated[str, Query(max_length=64)]


@router.get("/studies/{study}", response_class=Response)
def study(request: Request, study: UidInPath, identity: Looker) -> Response:
    """Return every received instance of a study."""
    return _instances(request, identity, stored(request, study))


@router.get("/studies/{study}/series/{series}", response_class=Response)
def series(request: Request, study: UidInPath, series: UidInPath, identity: Looker) -> Response:
    """Return every received instance of a series."""
    return _instances(request, identity, stored(request, study, series))


@router.get(_INSTANCE, response_class=Response)
def instance(request: Request, study: UidInPath, series: UidInPath, image: UidInPath, identity: Looker) -> Response:
    """Return one instance."""
    return _instances(request, identity, stored(request, study, series, image))


@router.get("/studies/{study}/metadata", response_class=Response)
def study_metadata(request: Request, study: UidInPath, identity: Looker) -> Response:
    """Return the headers of a study."""
    return _metadata(request, identity, stored(request, study))


@router.get("/studies/{study}/series/{series}/metadata", response_class=Response)
def series_metadata(request: Request, study: UidInPath, series: UidInPath, identity: Looker) -> Response:
    """Return the headers of a series."""
    return _metadata(request, identity, stored(request, study, series))


@router.get(f"{_INSTANCE}/metadata", response_class=Response)
def instance_metadata(
    request: Request, study: UidInPath, series: UidInPath, image: UidInPath, identity: Looker
) -> Response:
    """Return the header of one instance."""
    return _metadata(request, identity, stored(request, study, series, image))


@router.get(f"{_INSTANCE}/frames/{{frames}}", response_class=Response)
def frames(
    request: Request, study: UidInPath, series: UidInPath, image: UidInPath, frames: FrameList, identity: Looker
) -> Response:
    """Return frames, as they are stored or uncompressed, whichever the client asks for first."""
    (found,) = stored(request, study, series, image)
    return _frames(request, identity, found, [int(one) for one in frames.split(",")])


@router.get(f"{_INSTANCE}/bulkdata/{{tag}}", response_class=Response)
def bulk_data(
    request: Request, study: UidInPath, series: UidInPath, image: UidInPath, tag: Tag, identity: Looker
) -> Response:
    """Return the value of one attribute; for the pixel data, every frame."""
    (found,) = stored(request, study, series, image)
    if tag.upper() == "7FE00010":
        return _frames(request, identity, found, [])
    _require(request, OCTETS)
    _note(request, identity, [found])
    return _related(OCTETS, [web_of(request).objects.bulk_data(found.path, int(tag, 16))])


@router.get(f"{_INSTANCE}/rendered", response_class=Response)
def rendered(
    request: Request, study: UidInPath, series: UidInPath, image: UidInPath, identity: Looker, window: WindowWords = ""
) -> Response:
    """Return the first frame as a picture."""
    return _rendered(request, identity, stored(request, study, series, image)[0], 1, window)


@router.get(f"{_INSTANCE}/frames/{{frame}}/rendered", response_class=Response)
def frame_rendered(
    request: Request,
    study: UidInPath,
    series: UidInPath,
    image: UidInPath,
    frame: Annotated[int, InPath(ge=1, le=999_999)],
    identity: Looker,
    window: WindowWords = "",
) -> Response:
    """Return one frame as a picture."""
    return _rendered(request, identity, stored(request, study, series, image)[0], frame, window)


def _instances(request: Request, identity: Identity, found: Sequence[StoredInstance]) -> Response:
    parameters = _require(request, DICOM)
    wanted = parameters.get("transfer-syntax", "*")
    for one in found:
        if wanted not in ("*", one.transfer_syntax_uid):
            raise HTTPException(
                406, f"stored in transfer syntax {one.transfer_syntax_uid}; only that, or *, is returned"
            )
    _note(request, identity, found)
    boundary = uuid4().hex
    parts = (_file_part(one, boundary) for one in found)
    return _streamed(DICOM, boundary, chain.from_iterable(parts))


def _file_part(one: StoredInstance, boundary: str) -> Iterator[bytes]:
    # Opened when its turn comes: a study may have more files than a process may have open.
    with Path(one.path).open("rb") as file:
        yield _part_head(boundary, DICOM, one.transfer_syntax_uid)
        while piece := file.read(PIECE_BYTES):
            yield piece


def _metadata(request: Request, identity: Identity, found: Sequence[StoredInstance]) -> Response:
    require_json(request)
    _note(request, identity, found)
    objects, base = web_of(request).objects, base_of(request)
    return dicom_json([objects.metadata(one.path, _address(base, one)) for one in found])


def _frames(request: Request, identity: Identity, found: StoredInstance, numbers: Sequence[int]) -> Response:
    objects = web_of(request).objects
    own = objects.stored_media_type(found.transfer_syntax_uid)
    for media, parameters in _related_types(request):
        syntax = parameters.get("transfer-syntax", "")
        as_stored = media == own and syntax in ("", "*", found.transfer_syntax_uid) and own != OCTETS
        if as_stored or (media in ("*/*", "image/*") and own != OCTETS):
            return _frame_answer(request, identity, found, objects.frames(found.path, numbers, decoded=False))
        if media in (OCTETS, "*/*", "application/*") and syntax in UNCOMPRESSED:
            return _frame_answer(request, identity, found, objects.frames(found.path, numbers, decoded=True))
    raise HTTPException(406, f"frames of this image can be returned as {own} or {OCTETS}")


def _frame_answer(request: Request, identity: Identity, found: StoredInstance, parts: Iterator[BulkData]) -> Response:
    _note(request, identity, [found])
    try:
        # The first one tells whether there are such frames, before the answer has begun.
        first = next(parts)
    except UnreadableInstance as error:
        raise HTTPException(404, "the image has no such frame") from error
    return _related(first.media_type, chain([first], parts))


def _rendered(request: Request, identity: Identity, found: StoredInstance, number: int, window: str) -> Response:
    wanted = [media for media, _ in accepted_types(request.headers.get("accept", ""))]
    media = next((_PICTURES[one] for one in wanted if one in _PICTURES), None)
    if media is None:
        raise HTTPException(406, "pictures can be returned as image/jpeg or image/png")
    limits = _window(window)
    _note(request, identity, [found])
    return Response(web_of(request).objects.rendered(found.path, number, limits, media), media_type=media)


_PICTURES = {"*/*": "image/jpeg", "image/*": "image/jpeg", "image/jpeg": "image/jpeg", "image/png": "image/png"}


def _window(text: str) -> tuple[float, float] | None:
    """Return centre and width of the query parameter `window` (PS3.18 8.3.5.1.4), None where it is not given."""
    if not text:
        return None
    found = re.fullmatch(r"(-?\d{1,6}(?:\.\d{1,6})?),(\d{1,6}(?:\.\d{1,6})?),linear", text)
    if found is None or float(found[2]) < 1:
        raise HTTPException(400, "window: centre,width,linear is needed, the width at least 1")
    return float(found[1]), float(found[2])


def _require(request: Request, media_type: str) -> dict[str, str]:
    """Return the parameters with which the client takes parts of `media_type`; 406 where it does not."""
    for media, parameters in _related_types(request):
        if media in (media_type, "*/*", "application/*"):
            return parameters
    raise HTTPException(406, f'only multipart/related; type="{media_type}" can be returned here')


def _related_types(request: Request) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what the parts of the answer may be, wanted most first."""
    for media, parameters in accepted_types(request.headers.get("accept", "")):
        if media in ("multipart/related", "multipart/*"):
            yield parameters.get("type", "*/*").lower(), parameters
        elif media == "*/*":
            yield media, parameters


def _related(media_type: str, parts: Iterable[BulkData]) -> Response:
    boundary = uuid4().hex
    pieces = ((_part_head(boundary, one.media_type, one.transfer_syntax_uid), one.body) for one in parts)
    return _streamed(media_type, boundary, chain.from_iterable(pieces))


def _streamed(media_type: str, boundary: str, pieces: Iterator[bytes]) -> Response:
    closed = chain(pieces, [f"\r\n--{boundary}--\r\n".encode()])
    # Named, so that nothing on the way compresses pixels once more.
    headers = {"Content-Encoding": "identity"}
    return StreamingResponse(
        closed, media_type=f'multipart/related; type="{media_type}"; boundary={boundary}', headers=headers
    )


def _part_head(boundary: str, media_type: str, transfer_syntax_uid: str) -> bytes:
    syntax = f"; transfer-syntax={transfer_syntax_uid}" if transfer_syntax_uid else ""
    return f"\r\n--{boundary}\r\nContent-Type: {media_type}{syntax}\r\n\r\n".encode()


def _address(base: str, one: StoredInstance) -> str:
    where = f"{base}/studies/{one.study_instance_uid}/series/{one.series_instance_uid}"
    return f"{where}/instances/{one.sop_instance_uid}"


def _note(request: Request, identity: Identity, found: Sequence[StoredInstance]) -> None:
    """Note the view before anything is sent: nobody sees what could not be noted."""
    series = {one.series_instance_uid for one in found}
    details = {"series": next(iter(series))} if len(series) == 1 else {"series": str(len(series))}
    study = StudyInstanceUid(found[0].study_instance_uid)
    noting_of(request).view(identity, AuditAction.IMAGES_VIEWED, study, details)
