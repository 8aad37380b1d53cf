"""C-FIND and C-MOVE as the asker: how many images a source has of a study, and having it send them here.

Source: PS3.4 C.4.1 and C.4.2, study root model.
"""

from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_gateway.querying import STUDY_ROOT_FIND, STUDY_ROOT_MOVE
from dicom_gateway.sender import Context, Destination, DicomSender
from dicom_gateway.statuses import ServiceStatus
from triage.errors import DestinationRefused, DestinationUnavailable

_PENDING = (0xFF00, 0xFF01)


@dataclass(frozen=True, slots=True)
class Fetched:
    """How many instances a source has sent, and how many it could not send."""

    completed: int
    failed: int


def count_at(sender: DicomSender, source: Destination, study_uid: str) -> int | None:
    """Return how many instances the source has of the study, None where it does not say.

    Raises:
        DestinationUnavailable: no association, no answer in time, or another status than success.
        DestinationRefused: the source does not know us, or answers no questions.
    """
    question = _study(study_uid)
    question.NumberOfStudyRelatedInstances = None
    counts: list[int] = []
    with sender.association(source, _contexts(STUDY_ROOT_FIND)) as association:
        for status, match in association.send_c_find(question, STUDY_ROOT_FIND):
            if status.get("Status") in _PENDING and match is not None:
                counts += [int(one) for one in [match.get("NumberOfStudyRelatedInstances")] if one is not None]
            elif status.get("Status") != ServiceStatus.DONE:
                raise DestinationUnavailable(f"{source.name}: C-FIND answered {_in_words(status)}, 0000H needed")
    return counts[0] if len(counts) == 1 else None


def fetch(sender: DicomSender, source: Destination, study_uid: str) -> Fetched:
    """Return when the source has sent the study to us, by our AE title, which it must know with host and port.

    Raises:
        DestinationUnavailable: no association, no answer in time, or nothing could be sent.
        DestinationRefused: the source does not know us, does not move, or does not know where to move to.
    """
    with sender.association(source, _contexts(STUDY_ROOT_MOVE)) as association:
        *_, (status, _) = association.send_c_move(_study(study_uid), sender.calling_ae_title, STUDY_ROOT_MOVE)
    number = status.get("Status")
    if number == ServiceStatus.MOVE_DESTINATION_UNKNOWN:
        raise DestinationRefused(f"{source.name}: does not know where {sender.calling_ae_title} is")
    if number not in (ServiceStatus.DONE, ServiceStatus.SOME_FAILED):
        raise DestinationUnavailable(f"{source.name}: C-MOVE answered {_in_words(status)}, 0000H needed")
    return Fetched(
        int(status.get("NumberOfCompletedSuboperations") or 0), int(status.get("NumberOfFailedSuboperations") or 0)
    )


def _study(uid: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", uid
    return identifier


def _contexts(sop_class_uid: str) -> tuple[Context, ...]:
    return ((sop_class_uid, (ExplicitVRLittleEndian,)), (sop_class_uid, (ImplicitVRLittleEndian,)))


def _in_words(status: Dataset) -> str:
    return f"{status.Status:04X}H" if "Status" in status else "nothing"
