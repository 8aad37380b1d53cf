"""What orchestrators and Prometheus ask: alive, ready, and how much work there is."""

from fastapi import APIRouter, Request, Response, status
from fastapi.responses import PlainTextResponse

from triage.errors import StoreUnavailable
from worklist.figures import exposition
from worklist.ports import WorklistServices

router = APIRouter(tags=["operations"])


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """Return "ok": the process is alive, whatever the database does."""
    return "ok\n"


@router.get("/readyz", response_class=PlainTextResponse)
def readyz(request: Request, response: Response) -> str:
    """Return "ready" when the database answers, else 503."""
    services: WorklistServices = request.app.state.services
    try:
        services.workload.ping()
    except StoreUnavailable:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return "the database does not answer\n"
    return "ready\n"


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Return the figures in Prometheus' text format."""
    services: WorklistServices = request.app.state.services
    body, content_type = exposition(services.workload)
    return Response(body, media_type=content_type)
