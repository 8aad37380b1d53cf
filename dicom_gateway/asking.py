"""C-FIND and C-MOVE as the asker: how many images a source has of a study and which, and having it send them here.

Source: PS3.4 C.4.1 and C.4.2, study root model.
"""

from collections.abc import Container
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.association import Association

from dicom_gateway.querying import STUDY_ROOT_FIND, STUDY_ROOT_MOVE
from dicom_gateway.sender import Context, Destination, DicomSender
from dicom_gateway.statuses import ServiceStatus
from triage.errors import DestinationRefused, DestinationUnavailable

PENDING = (0xFF00, 0xFF01)
MOST_INSTANCES = 5000
"""Of one study; a source that names more is not believed."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """How many instances a source has sent, and how many it could not send."""

    completed: int
    failed: int


@dataclass(frozen=True, slots=True)
class RemoteInstance:
    """An instance that a source holds; the class is empty where the source did not say it."""

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str


def count_at(sender: DicomSender, source: Destination, study_uid: str) -> int | None:
    """Return how many instances the source has of the study, None where it does not say.

    Raises:
        DestinationUnavailable: no association, no answer in time, or another status than success.
        DestinationRefused: the source does not know us, or answers no questions.
    """
    question = _study(study_uid)
    question.NumberOfStudyRelatedInstances = None
    with sender.association(source, contexts_for(STUDY_ROOT_FIND)) as association:
        found = [one.get("NumberOfStudyRelatedInstances") for one in _matches(association, source, question)]
    counts = [int(one) for one in found if one is not None]
    return counts[0] if len(counts) == 1 else None


def instances_at(
    sender: DicomSender, source: Destination, study_uid: str, modalities: Container[str]
) -> list[RemoteInstance]:
    """Return the instances that the source holds in the study's series of these modalities.

    Raises:
        DestinationUnavailable: no association, no answer in time, another status than success, or too many matches.
        DestinationRefused: the source does not know us, or answers no questions.
    """
    found: list[RemoteInstance] = []
    with sender.association(source, contexts_for(STUDY_ROOT_FIND)) as association:
        question = _question("SERIES", StudyInstanceUID=study_uid, SeriesInstanceUID="", Modality="")
        for series in _matches(association, source, question):
            if series.get("Modality") not in modalities:
                continue
            uid = str(series.get("SeriesInstanceUID", ""))
            question = _question(
                "IMAGE", StudyInstanceUID=study_uid, SeriesInstanceUID=uid, SOPInstanceUID="", SOPClassUID=""
            )
            found += (
                RemoteInstance(uid, str(one.SOPInstanceUID), str(one.get("SOPClassUID") or ""))
                for one in _matches(association, source, question)
                if one.get("SOPInstanceUID")
            )
            if len(found) > MOST_INSTANCES:
                raise DestinationUnavailable(f"{source.name}: names over {MOST_INSTANCES} instances of one study")
    return found


def fetch(sender: DicomSender, source: Destination, study_uid: str) -> Fetched:
    """Return when the source has sent the study to us, by our AE title, which it must know with host and port.

    Raises:
        DestinationUnavailable: no association, no answer in time, or nothing could be sent.
        DestinationRefused: the source does not know us, does not move, or does not know where to move to.
    """
    with sender.association(source, contexts_for(STUDY_ROOT_MOVE)) as association:
        *_, (status, _) = association.send_c_move(_study(study_uid), sender.calling_ae_title, STUDY_ROOT_MOVE)
    number = status.get("Status")
    if number == ServiceStatus.MOVE_DESTINATION_UNKNOWN:
        raise DestinationRefused(f"{source.name}: does not know where {sender.calling_ae_title} is")
    if number not in (ServiceStatus.DONE, ServiceStatus.SOME_FAILED):
        raise DestinationUnavailable(f"{source.name}: C-MOVE answered {_in_words(status)}, 0000H needed")
    return Fetched(
        int(status.get("NumberOfCompletedSuboperations") or 0), int(status.get("NumberOfFailedSuboperations") or 0)
    )


def _matches(association: Association, source: Destination, question: Dataset) -> list[Dataset]:
    found = []
    for status, match in association.send_c_find(question, STUDY_ROOT_FIND):
        if status.get("Status") in PENDING and match is not None:
            found.append(match)
        elif status.get("Status") != ServiceStatus.DONE:
            raise DestinationUnavailable(f"{source.name}: C-FIND answered {_in_words(status)}, 0000H needed")
    return found


def contexts_for(sop_class_uid: str) -> tuple[Context, ...]:
    """Return presentation contexts for a query or retrieve class."""
    return ((sop_class_uid, (ExplicitVRLittleEndian,)), (sop_class_uid, (ImplicitVRLittleEndian,)))


def _question(level: str, **keys: str) -> Dataset:
    question = Dataset()
    question.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(question, keyword, value)
    return question


def _study(uid: str) -> Dataset:
    return _question("STUDY", StudyInstanceUID=uid)


def _in_words(status: Dataset) -> str:
    return f"{status.Status:04X}H" if "Status" in status else "nothing"
