"""QIDO-RS: studies, series and instances by their attributes (PS3.18 section 10.6)."""

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from triage.audit import AuditAction
from triage.dicom_search import DicomSearch, Level, Match, Matching
from worklist.access import noting_of
from worklist.auth import Identity
from worklist.dicomweb.answering import PREFIX, Searcher, UidInPath, base_of, dicom_json, require_json, web_of
from worklist.dicomweb.attributes import as_json, attribute_called, key_of

router = APIRouter(prefix=PREFIX, tags=["dicomweb"])

MOST_RESULTS = 1000
LITERAL_ONLY = "The fuzzymatching parameter is not supported. Only literal matching has been performed."
MORE = "There are additional results that can be requested."


@router.get("/studies", response_class=Response)
def studies(request: Request, identity: Searcher) -> Response:
    """Return the studies that match, newest first."""
    return _search(request, identity, Level.STUDY, {})


@router.get("/series", response_class=Response)
def series(request: Request, identity: Searcher) -> Response:
    """Return the series that match, of every study."""
    return _search(request, identity, Level.SERIES, {})


@router.get("/studies/{study}/series", response_class=Response)
def series_of_study(request: Request, study: UidInPath, identity: Searcher) -> Response:
    """Return the series of one study that match."""
    return _search(request, identity, Level.SERIES, {"StudyInstanceUID": study})


@router.get("/instances", response_class=Response)
def instances(request: Request, identity: Searcher) -> Response:
    """Return the instances that match, of every study."""
    return _search(request, identity, Level.INSTANCE, {})


@router.get("/studies/{study}/instances", response_class=Response)
def instances_of_study(request: Request, study: UidInPath, identity: Searcher) -> Response:
    """Return the instances of one study that match."""
    return _search(request, identity, Level.INSTANCE, {"StudyInstanceUID": study})


@router.get("/studies/{study}/series/{series}/instances", response_class=Response)
def instances_of_series(request: Request, study: UidInPath, series: UidInPath, identity: Searcher) -> Response:
    """Return the instances of one series that match."""
    return _search(request, identity, Level.INSTANCE, {"StudyInstanceUID": study, "SeriesInstanceUID": series})


def _search(request: Request, identity: Identity, level: Level, within: dict[str, str]) -> Response:
    require_json(request)
    limit, offset, matches = MOST_RESULTS, 0, [_match(name, uid, level) for name, uid in within.items()]
    warnings: list[str] = []
    for name, value in request.query_params.multi_items():
        if name == "limit":
            limit = min(_count(name, value), MOST_RESULTS)
        elif name == "offset":
            offset = _count(name, value)
        elif name == "fuzzymatching":
            warnings += [LITERAL_ONLY] if _flag(name, value) else []
        elif name == "includefield":
            # Everything that the index holds is returned anyway.
            continue
        elif value.strip() not in ("", "*"):
            matches.append(_match(name, value.strip(), level))
    noting_of(request).view(identity, AuditAction.LIST_SEARCHED, details={"dicomweb": level.value})
    page = web_of(request).index.search(DicomSearch(level, tuple(matches), limit, offset))
    warnings += [MORE] if page.has_more else []
    headers = {"Warning": ", ".join(f'299 {base_of(request)}: "{one}"' for one in warnings)} if warnings else {}
    if not page.found:
        return Response(status_code=204, headers=headers)
    return dicom_json([as_json(one, level, base_of(request)) for one in page.found], headers=headers)


def _match(name: str, value: str, level: Level) -> Match:
    attribute = attribute_called(name)
    key = None if attribute is None else key_of(attribute, level)
    if key is None:
        # Left out, it would be answered with more than was asked for.
        raise HTTPException(400, f"{_printable(name)} cannot be matched on {level.value} level")
    if len(value) > 4096 or "\0" in value:
        raise HTTPException(400, f"{_printable(name)}: the value is too long, or holds a zero byte")
    if key.matching in (Matching.DATE, Matching.TIME) and not set(value) <= set("0123456789.-"):
        raise HTTPException(400, f"{_printable(name)}: a date or time, or a range of them with -, is needed")
    return Match(key, value)


def _count(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise HTTPException(400, f"{name}: a whole number is needed")
    return int(value)


def _flag(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise HTTPException(400, f"{name}: true or false is needed")
    return value == "true"


def _printable(name: str) -> str:
    """Return the name of a parameter as it can be told: a careless client may have put a value there."""
    return name if name.isalnum() and len(name) <= 64 else "a parameter"
