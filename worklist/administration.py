"""What the API answers about the gateway and the models."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from models.lifecycle import RegisteredModel
from worklist.ports import StageTimes


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SenderView(_FromRow):
    """Who opened associations; `unfinished` counts those that were aborted, lost or rejected for a certificate."""

    ae_title: str
    host: str
    open: int
    associations: int
    unfinished: int
    last_at: datetime


class QueueView(BaseModel):
    """Jobs of one queue: waiting, and at work."""

    name: str
    waiting: int
    working: int


class StageView(_FromRow):
    """How long one stage took over the last hour, in seconds."""

    stage: str
    studies: int
    median_s: float
    p95_s: float


class DestinationView(_FromRow):
    """One destination; `address` is empty where the settings name it no more, `retry_at` set while it is not tried."""

    name: str
    address: str = ""
    planned: int = 0
    delivered: int = 0
    refused: int = 0
    failures: int = 0
    retry_at: datetime | None = None
    last_delivered_at: datetime | None = None
    last_error: str = ""


class DiskView(BaseModel):
    """The disk of the images; below `kept_free_bytes` instances are refused."""

    total_bytes: int
    free_bytes: int
    kept_free_bytes: int


class GatewayView(BaseModel):
    """How the gateway does; `disk` is None where the page does not run beside it."""

    senders: list[SenderView]
    queues: list[QueueView]
    stages: list[StageView]
    oldest_waiting_s: dict[str, float]
    destinations: list[DestinationView]
    disk: DiskView | None
    server_time: datetime


class ModelView(BaseModel):
    """One model of the registry."""

    id: int
    name: str
    version: str
    digest: str
    task: str
    state: str
    licence: str
    origin: str
    modalities: list[str]
    registered_at: datetime


class ModelsView(BaseModel):
    """The models by task and name."""

    models: list[ModelView]


QUEUES = ("triage", "delivery")


def sender_views(senders: Sequence[object]) -> list[SenderView]:
    """Return the senders as the API answers them."""
    return [SenderView.model_validate(one) for one in senders]


def stage_views(stages: Sequence[StageTimes]) -> list[StageView]:
    """Return the stages as the API answers them."""
    return [StageView.model_validate(one) for one in stages]


def queue_views(jobs: Mapping[tuple[str, str], int]) -> list[QueueView]:
    """Return the queues, also those in which nothing waits."""
    names = [*QUEUES, *sorted({queue for queue, _ in jobs} - set(QUEUES))]
    return [
        QueueView(name=name, waiting=jobs.get((name, "todo"), 0), working=jobs.get((name, "doing"), 0))
        for name in names
    ]


def destination_views(figures: Sequence[object], addresses: Mapping[str, str]) -> list[DestinationView]:
    """Return the destinations of the settings, and those that something was once planned for."""
    found = {one.name: one for one in map(DestinationView.model_validate, figures)}
    for name, address in addresses.items():
        found[name] = found.get(name, DestinationView(name=name)).model_copy(update={"address": address})
    return [found[name] for name in sorted(found)]


def model_view(model: RegisteredModel) -> ModelView:
    """Return a model as the API answers it."""
    record = model.record
    return ModelView(
        id=model.id,
        name=record.identity.name,
        version=record.identity.version,
        digest=record.identity.digest,
        task=record.task,
        state=model.state.value,
        licence=record.licence,
        origin=record.origin.value,
        modalities=sorted(record.acceptance.modalities),
        registered_at=model.registered_at,
    )
