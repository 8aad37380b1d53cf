"""A department to look at: puts studies into a real PostgreSQL the way the workflow does."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from pydicom import Dataset
from sqlalchemy import Engine, text

from deploy.rules_in_use import RulesInUse
from deploy.settings import Settings, SettingsFile
from deploy.site_ppvs import SitePpvs
from deploy.stream_looks import StreamLooks
from dicom_gateway.headers import read_instance
from inference.display import FrameReader
from storage.accounts import AccountRows
from storage.alarms import AlarmRows
from storage.audit import AuditTrail
from storage.change_feed import ChangeListener
from storage.database import DatabaseTransactions
from storage.deliveries import DeliveryLedger
from storage.evidence import EvidenceRows
from storage.gateway import GatewayReader
from storage.images import ImageFiles
from storage.incidents import IncidentReader
from storage.model_registry import ModelRows
from storage.preferences import PreferenceRows
from storage.saved_views import SavedViews
from storage.site_rights import SiteRightsRows
from storage.worklist_rows import WorklistReader
from storage.workload import WorkloadReader
from triage.findings import (
    AiState,
    Analysis,
    Code,
    Finding,
    Mask,
    Measurement,
    ModelIdentity,
    Region,
    StageSeconds,
)
from triage.identifiers import SeriesInstanceUid, Sha256, SopInstanceUid, StudyInstanceUid
from triage.ports import RecordedAnalysis, ResultObject
from triage.priority import Priority, TargetTimes, deadline, from_order, most_urgent
from triage.reader_work import ReaderWork
from triage.reading_order import reason_for
from triage.study import (
    ImageHeader,
    InstanceHeader,
    ReceivedInstance,
    SeriesHeader,
    Source,
    StoredFile,
    Study,
    StudyHeader,
    StudyStatus,
)
from validation.pdf import as_pdf
from worklist.ports import WorklistServices

PASSWORD = "correct horse battery staple"
PATIENCE_S = 15.0

ICH = ModelIdentity("ich-ct", "1.0.0", "9f2c" * 16)
PNEUMOTHORAX = ModelIdentity("ptx-dx", "0.4.1", "c41a" * 16)
HAEMORRHAGE = Code("1386000", "SCT", "Intracranial hemorrhage")
COLLAPSED_LUNG = Code("36118008", "SCT", "Pneumothorax")


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said about a study of the department."""

    model: ModelIdentity
    code: Code
    probability: float
    threshold: float = 0.52
    raises_to: Priority = Priority.CRITICAL
    measurements: tuple[Measurement, ...] = ()
    masks: tuple[Mask, ...] = ()


@dataclass(frozen=True, slots=True)
class Department:
    """Puts studies into the database the way the workflow does."""

    engine: Engine
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def receives(
        self, header: StudyHeader, series: SeriesHeader, minutes_ago: float = 0.0, images: int = 1
    ) -> StudyInstanceUid:
        """Let a study arrive; its UIDs are made here."""
        uid = StudyInstanceUid(f"1.2.826.0.1.3680043.8.498.{next(self.numbers)}")
        now = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        header = replace(header, study_instance_uid=uid)
        series = replace(series, series_instance_uid=SeriesInstanceUid(f"{uid}.1"))
        study = _arrived(header, from_order(header.order_priority), now)
        with DatabaseTransactions(self.engine).begin() as records:
            records.studies.add(study)
            for number in range(images):
                records.studies.add_instances([_instance(header, series, number, images)], now)
        return uid

    def scans(self, folder: Path, images: Sequence[Dataset], minutes_ago: float = 0.0) -> StudyInstanceUid:
        """Let a study arrive whose images are real files in `folder`; it keeps its own UIDs."""
        now = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        received = [_file_of(folder, image) for image in images]
        header = received[0].header.study
        band = from_order(header.order_priority)
        study = _arrived(header, band, now)
        with DatabaseTransactions(self.engine).begin() as records:
            records.studies.add(study)
            records.studies.add_instances(received, now)
        return header.study_instance_uid

    def completes(self, uid: StudyInstanceUid) -> None:
        """Let the study be complete and wait for its analysis."""
        self._change(uid, lambda study: replace(study.moved_to(StudyStatus.COMPLETE), complete_at=study.received_at))

    def answers(self, uid: StudyInstanceUid, said: Said, region: Region | None = None) -> None:
        """Let a model answer about a received study; a flag comes with `region`, or one on its first image."""
        self.completes(uid)
        flagged = said.probability >= said.threshold
        state = AiState.ANALYSED_FLAGGED if flagged else AiState.ANALYSED_NO_FLAG
        speaker = f"{said.model.name} {said.model.version}"
        words = f"suspected {said.code.meaning.lower()}, {speaker}" if flagged else speaker
        with DatabaseTransactions(self.engine).begin() as records:
            revision = records.studies.get(uid).revision
            records.results.record(_recorded(uid, revision, said, region))
        raised = said.raises_to if flagged else Priority.ROUTINE
        self._concludes(uid, state, words, raised, StudyStatus.TRIAGED)

    def answers_again(self, uid: StudyInstanceUid, said: Said) -> None:
        """Let an analysed study get another image, and a model answer about it."""
        self._change(uid, lambda study: study.with_late_instance(datetime.now(UTC)))
        self.answers(uid, said)

    def cannot_analyse(self, uid: StudyInstanceUid, why: str) -> None:
        """Let every model refuse the study."""
        self.completes(uid)
        self._concludes(uid, AiState.OUT_OF_SCOPE, why, Priority.ROUTINE, StudyStatus.TRIAGED)

    def fails(self, uid: StudyInstanceUid, why: str) -> None:
        """Let the analysis fail for good."""
        self.completes(uid)
        self._concludes(uid, AiState.FAILED, why, Priority.ROUTINE, StudyStatus.NEEDS_ATTENTION)

    def fails_again(self, uid: StudyInstanceUid, why: str) -> None:
        """Let an analysed study get another image, and its new analysis fail for good."""
        self._change(uid, lambda study: study.with_late_instance(datetime.now(UTC)))
        self.fails(uid, why)

    def contradicts(self, uid: StudyInstanceUid, series: SeriesHeader) -> None:
        """Let other bytes arrive under the UID of the study's first image."""
        series = replace(series, series_instance_uid=SeriesInstanceUid(f"{uid}.1"))
        header = StudyHeader(uid)
        with DatabaseTransactions(self.engine).begin() as records:
            records.studies.add_instances([_instance(header, series, 0, images=99)], datetime.now(UTC))

    def sends(self, uid: StudyInstanceUid, destinations: dict[str, str]) -> None:
        """Let a report go out; `destinations` gives the error of each, empty where it was delivered."""
        sop = SopInstanceUid(f"{uid}.900")
        report = ResultObject(sop, "1.2.840.10008.5.1.4.1.1.88.33", uid, 1, "sr", Sha256("b" * 64), "results/x.dcm")
        now = datetime.now(UTC)
        with DatabaseTransactions(self.engine).begin() as records:
            records.results.add_object(report)
            for destination, error in destinations.items():
                records.results.add_delivery(sop, destination)
                if error:
                    records.results.mark_undeliverable(sop, destination, error, now)
                else:
                    records.results.mark_delivered(sop, destination, now)
        if not any(destinations.values()):
            self._change(uid, lambda study: replace(study.moved_to(StudyStatus.DELIVERED), delivered_at=now))

    def quarantines(self, reason: str) -> None:
        """Let an object arrive that cannot be read."""
        with self.engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO quarantine (reason, claimed_sop_instance_uid, sha256, size, path, source_ae_title,"
                    " source_host, received_at) VALUES (:reason, :uid, :sha, 10, 'x', 'CT_2', '10.0.0.7', now())"
                ),
                {"reason": reason, "uid": f"1.2.3.{next(self.numbers)}", "sha": "d" * 64},
            )

    def _concludes(
        self, uid: StudyInstanceUid, state: AiState, words: str, raised: Priority, status: StudyStatus
    ) -> None:
        def conclude(study: Study) -> Study:
            band = most_urgent(study.order_priority, raised)
            return replace(
                study.moved_to(status),
                priority=band,
                ai_state=state,
                deadline=deadline(study.received_at, band, TargetTimes()),
                reason=reason_for(study.order_priority, study.header.order_priority, state, words),
                triaged_at=study.received_at + timedelta(seconds=9),
            )

        self._change(uid, conclude)

    def _change(self, uid: StudyInstanceUid, change: Callable[[Study], Study]) -> None:
        with DatabaseTransactions(self.engine).begin() as records:
            records.studies.save(change(records.studies.get(uid)))


def _arrived(header: StudyHeader, band: Priority, now: datetime) -> Study:
    return Study(
        study_instance_uid=header.study_instance_uid,
        header=header,
        status=StudyStatus.RECEIVING,
        revision=1,
        order_priority=band,
        priority=band,
        ai_state=AiState.PENDING,
        reason=reason_for(band, header.order_priority, AiState.PENDING, ""),
        received_at=now,
        last_instance_at=now,
        deadline=deadline(now, band, TargetTimes()),
    )


def _file_of(folder: Path, image: Dataset) -> ReceivedInstance:
    """Write the image as the receiver does, and return it as received."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{image.SOPInstanceUID}.dcm"
    image.save_as(path, enforce_file_format=True)
    syntax = image.file_meta.TransferSyntaxUID
    content = path.read_bytes()
    header = read_instance(_without_meta(content), syntax)
    file = StoredFile(Sha256(hashlib.sha256(content).hexdigest()), len(content), str(path), str(syntax))
    return ReceivedInstance(header, file, Source("CT_1", "10.0.0.5", "association"))


def _without_meta(content: bytes) -> bytes:
    """Return the data set of a DICOM file: behind the preamble and a file meta group of the stated length."""
    length = int.from_bytes(content[140:144], "little")
    return content[144 + length :]


def _instance(header: StudyHeader, series: SeriesHeader, number: int, images: int) -> ReceivedInstance:
    sop = SopInstanceUid(f"{series.series_instance_uid}.{number}")
    image = ImageHeader(sop, "1.2.840.10008.5.1.4.1.1.2", rows=512, columns=512, instance_number=number)
    digest = Sha256(hashlib.sha256(f"{sop} {images}".encode()).hexdigest())
    return ReceivedInstance(
        InstanceHeader(header, series, image),
        StoredFile(digest, 526_000, f"ab/{digest}", "1.2.840.10008.1.2.1"),
        Source("CT_1" if series.modality == "CT" else "XR_ER", "10.0.0.5", "association"),
    )


def _recorded(uid: StudyInstanceUid, revision: int, said: Said, region: Region | None) -> RecordedAnalysis:
    flagged = said.probability >= said.threshold
    region = region or Region(SopInstanceUid(f"{uid}.1.0"), (212.0, 140.5, 288.0, 231.0), said.probability)
    finding = Finding(
        code=said.code,
        probability=said.probability,
        threshold=said.threshold,
        operating_point="balanced",
        raises_to=said.raises_to,
        model=said.model,
        regions=(region,) if flagged else (),
        measurements=said.measurements,
        masks=said.masks,
    )
    analysis = Analysis(
        model=said.model,
        series_instance_uid=SeriesInstanceUid(f"{uid}.1"),
        provider="CPUExecutionProvider",
        findings=(finding,),
        seconds=StageSeconds(0.81, 1.94),
    )
    images = Sha256(hashlib.sha256(f"{uid} {revision}".encode()).hexdigest())
    return RecordedAnalysis(uid, revision, images, datetime.now(UTC), analysis)


def services_on(engine: Engine) -> WorklistServices:
    """Return the web application's services on a database, wired as `deploy` does."""
    return WorklistServices(
        rows=WorklistReader(engine),
        site_ppv=SitePpvs(engine, SystemClock()).of,
        changes=ChangeListener(engine),
        accounts=AccountRows(engine),
        incidents=IncidentReader(engine),
        alarms=AlarmRows(engine),
        streams=StreamLooks(engine, Settings(Path(), SettingsFile()), SystemClock()),
        workload=WorkloadReader(engine),
        clock=SystemClock(),
        work=ReaderWork(DatabaseTransactions(engine), SystemClock(), TargetTimes()),
        audit=AuditTrail(engine),
        files=ImageFiles(engine),
        frames=FrameReader(),
        evidence=EvidenceRows(engine),
        as_pdf=as_pdf,
        deliveries=DeliveryLedger(engine),
        views=SavedViews(engine),
        preferences=PreferenceRows(engine),
        gateway=GatewayReader(engine),
        models=ModelRows(engine),
        site_rights=SiteRightsRows(engine),
        rules=RulesInUse(engine, Settings(Path(), SettingsFile())),
        localising=frozenset({ICH.name}),
    )


def until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Return when `condition` holds; fail when it does not within `patience_s`."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, f"not within {patience_s:.0f} s"
        time.sleep(0.02)
