"""Modality Performed Procedure Step: scanners say what they are doing, and at its end which images they made.

Source: PS3.4 annex F.7, PS3.3 C.4.13 to C.4.16.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydicom.dataset import Dataset

from dicom_gateway.commitment import reference_of, uid_of
from dicom_gateway.peers import PeerList
from dicom_gateway.statuses import ServiceStatus
from dicom_gateway.upper_layer.commands import CommandField
from dicom_gateway.upper_layer.exchange import Exchange
from triage.commitment import Reference
from triage.errors import UnreadableInstance

IN_PROGRESS = "IN PROGRESS"
ENDED = ("COMPLETED", "DISCONTINUED")
_LISTS_OF_INSTANCES = ("ReferencedImageSequence", "ReferencedNonImageCompositeSOPInstanceSequence")


class ProcedureStepBook(Protocol):
    """Where steps become known; each call is committed when it returns, or raises StoreUnavailable."""

    def create(self, uid: str, study_uid: str, ae_title: str, content: Mapping[str, Any]) -> bool:
        """Keep a new step in progress; False where the UID is known."""

    def change(self, uid: str, status: str, content: Mapping[str, Any], made: Sequence[Reference]) -> str:
        """Change a step in progress and return its status before; "" where there is none."""


@dataclass(frozen=True, slots=True)
class ProcedureStepService:
    """Answers N-CREATE and N-SET of the peers that may store."""

    peers: PeerList
    book: ProcedureStepBook

    def serve(self, exchange: Exchange) -> None:
        """Answer with success once the step is in the database."""
        if exchange.request.field not in (CommandField.N_CREATE_RQ, CommandField.N_SET_RQ):
            exchange.respond(ServiceStatus.UNRECOGNISED)
        elif not self.peers.may_store(*exchange.caller):
            exchange.respond(ServiceStatus.NOT_ALLOWED)
        elif exchange.request.field == CommandField.N_CREATE_RQ:
            exchange.respond(self._created(exchange))
        else:
            exchange.respond(self._changed(exchange))

    def _created(self, exchange: Exchange) -> ServiceStatus:
        step, uid = exchange.data_set(), exchange.request.sop_instance_uid
        scheduled = step.get("ScheduledStepAttributesSequence") or [Dataset()]
        study_uid = uid_of(scheduled[0], "StudyInstanceUID")
        if not uid or step.get("PerformedProcedureStepStatus") != IN_PROGRESS:
            return ServiceStatus.INVALID_ATTRIBUTE_VALUE
        is_new = self.book.create(uid, study_uid, exchange.caller[0], _as_json(step))
        return ServiceStatus.DONE if is_new else ServiceStatus.DUPLICATE_INSTANCE

    def _changed(self, exchange: Exchange) -> ServiceStatus:
        change = exchange.data_set()
        status = str(change.get("PerformedProcedureStepStatus") or "")
        if status not in ("", IN_PROGRESS, *ENDED):
            return ServiceStatus.INVALID_ATTRIBUTE_VALUE
        before = self.book.change(exchange.request.sop_instance_uid, status, _as_json(change), _made(change))
        if not before:
            return ServiceStatus.NO_SUCH_INSTANCE
        # A step that has ended may no longer be changed (PS3.4 F.7.2.2.2).
        return ServiceStatus.DONE if before == IN_PROGRESS else ServiceStatus.PROCESSING_FAILED


def _made(change: Dataset) -> list[Reference]:
    """Return every instance that the performed series name."""
    lists = [series.get(name) or () for series in change.get("PerformedSeriesSequence") or () for name in
             _LISTS_OF_INSTANCES]  # fmt: skip
    return [reference_of(item) for one in lists for item in one]


def _as_json(step: Dataset) -> dict[str, Any]:
    try:
        # PostgreSQL keeps no NUL in text, and a value that is not of its VR has no JSON.
        return {tag: _without_nul(one) for tag, one in step.to_json_dict().items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnreadableInstance(f"procedure step: {type(error).__name__}") from error


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", " ")
    if isinstance(value, list):
        return [_without_nul(one) for one in value]
    return {key: _without_nul(one) for key, one in value.items()} if isinstance(value, dict) else value
