"""Every stream that the drift monitor watches, and the chart of one; no patient is in them."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Security
from pydantic import BaseModel, ConfigDict

from triage.surveillance import StreamKey, StreamKind
from worklist.access import may
from worklist.ports import WorklistServices
from worklist.roles import Permission

router = APIRouter(
    prefix="/api/v1/surveillance", tags=["surveillance"], dependencies=[Security(may(Permission.SEE_ALARMS))]
)


class StreamView(BaseModel):
    """One stream; health is "learning", "watching", "alarm" or "silent", `smallest_change` in the stream's own unit."""

    site: str
    scanner: str
    model: str
    stream: str
    kind: StreamKind
    health: str
    usual_per_day: float
    statistic: float | None
    limit: float | None
    smallest_change: float | None
    baseline_days: int | None


class StreamsView(BaseModel):
    """The streams as they stood at `looked_at`."""

    looked_at: datetime
    streams: list[StreamView]


class DayView(BaseModel):
    """One day in standard deviations of a day: `value` is null where it says nothing; both sums alarm at the limit."""

    model_config = ConfigDict(from_attributes=True)

    day: date
    value: float | None
    upper: float
    lower: float


class ChartView(BaseModel):
    """The newest days of a stream's chart, empty where it has none."""

    days: list[DayView]


_Text = Annotated[str, Query(max_length=128)]


@router.get("/streams")
def streams(request: Request) -> StreamsView:
    """Return every stream of every scanner and model."""
    services: WorklistServices = request.app.state.services
    looked_at, found = services.streams.all()
    return StreamsView(
        looked_at=looked_at,
        streams=[
            StreamView(
                site=one.key.site,
                scanner=one.key.scanner,
                model=one.key.model,
                stream=one.key.stream,
                kind=one.kind,
                health=one.health,
                usual_per_day=one.usual_per_day,
                statistic=one.statistic,
                limit=one.limit,
                smallest_change=one.smallest_change,
                baseline_days=one.baseline_days,
            )
            for one in found
        ],
    )


@router.get("/chart")
def chart(request: Request, scanner: _Text, stream: _Text, site: _Text = "", model: _Text = "") -> ChartView:
    """Return the chart of one stream."""
    services: WorklistServices = request.app.state.services
    found = services.streams.days(StreamKey(site, scanner, model, stream))
    return ChartView(days=[DayView.model_validate(one) for one in found])
