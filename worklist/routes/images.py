"""Images for the quick look; each is noted in the audit before it is sent, and no browser keeps it."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response, Security
from starlette.exceptions import HTTPException

from triage.audit import AuditAction
from triage.identifiers import SopInstanceUid, StudyInstanceUid
from triage.study import Series
from triage.viewing import FrameAddress, frames_in_order, key_frame, windows_for
from worklist.access import may, noting_of
from worklist.auth import Identity
from worklist.ports import KnownStudy, WorklistServices
from worklist.roles import Permission
from worklist.routes.listing import Uid
from worklist.schemas import shown_findings
from worklist.work_schemas import FrameView, SeriesImagesView, StudyImagesView, WindowView

router = APIRouter(prefix="/api/v1/studies/{study_instance_uid}", tags=["images"])

CAPTION = "AI result, research use, not for diagnosis"
PLAIN_CAPTION = "Quick look, research use, not for diagnosis"

StudyUid = Annotated[Uid, Path()]
Looker = Annotated[Identity, Security(may(Permission.SEE_IMAGES))]


@router.get("/images")
def images(request: Request, study_instance_uid: StudyUid, _identity: Looker) -> StudyImagesView:
    """Return which frames there are in which order, the usual windows, and which frame is looked at first."""
    known = _services(request).rows.detail(StudyInstanceUid(study_instance_uid))
    key = _key(known)
    series = [_series_view(one) for one in known.series]
    return StudyImagesView(
        series=[one for one in series if one.frames],
        key_series=None if key is None else key.series_instance_uid,
        key_frame=None if key is None else _frame_view(key),
    )


@router.get("/key-image", response_class=Response)
def key_image(request: Request, study_instance_uid: StudyUid, identity: Looker) -> Response:
    """Return the key image as PNG with the caption burned in; 404 where the study has none."""
    services = _services(request)
    known = services.rows.detail(StudyInstanceUid(study_instance_uid))
    key = _key(known)
    if key is None:
        raise HTTPException(404, "the study has no image that can be shown")
    _note(request, identity, known.row.study.study_instance_uid, key.series_instance_uid)
    path = services.files.find(known.row.study.study_instance_uid, key.sop_instance_uid).path
    series = next(one for one in known.series if one.header.series_instance_uid == key.series_instance_uid)
    window = next(((one.centre, one.width) for one in windows_for(series)), None)
    boxes = tuple(
        region.box
        for finding in shown_findings(known, services.localising)
        for region in finding.regions
        if (region.sop_instance_uid, region.frame_number) == (key.sop_instance_uid, key.frame_number)
    )
    caption = CAPTION if boxes else PLAIN_CAPTION
    body = services.frames.key_image(path, (key.frame_number or 1) - 1, window, caption, boxes)
    return Response(body, media_type="image/png")


@router.get("/images/{sop_instance_uid}/frames/{number}", response_class=Response)
def frame(
    request: Request,
    study_instance_uid: StudyUid,
    sop_instance_uid: Annotated[Uid, Path()],
    number: Annotated[int, Path(ge=1, le=100_000)],
    identity: Looker,
) -> Response:
    """Return one frame; the header `Acuity-Frame` says in JSON what the body is."""
    services, uid = _services(request), StudyInstanceUid(study_instance_uid)
    file = services.files.find(uid, SopInstanceUid(sop_instance_uid))
    _note(request, identity, uid, file.series_instance_uid)
    found = services.frames.frame(file.path, number - 1)
    headers = {"Acuity-Frame": found.header}
    if found.media_type == "application/octet-stream":
        headers["Content-Encoding"] = "gzip"
    return Response(found.body, media_type=found.media_type, headers=headers)


def _key(known: KnownStudy) -> FrameAddress | None:
    return key_frame(
        known.series, [one.analysis for one in known.recorded if one.revision == known.row.analysed_revision]
    )


def _note(request: Request, identity: Identity, study: StudyInstanceUid, series: str) -> None:
    noting_of(request).view(identity, AuditAction.IMAGES_VIEWED, study, {"series": series})


def _series_view(series: Series) -> SeriesImagesView:
    header = series.header
    return SeriesImagesView(
        series_instance_uid=header.series_instance_uid,
        modality=header.modality,
        description=header.series_description,
        frames=[_frame_view(one) for one in frames_in_order(series)],
        windows=[WindowView.model_validate(one, from_attributes=True) for one in windows_for(series)],
    )


def _frame_view(address: FrameAddress) -> FrameView:
    return FrameView(sop_instance_uid=address.sop_instance_uid, frame_number=address.frame_number)


def _services(request: Request) -> WorklistServices:
    services: WorklistServices = request.app.state.services
    return services
