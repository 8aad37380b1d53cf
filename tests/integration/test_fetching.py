"""What a sender loses is fetched from the source that holds it, once for each gap, before silence ends the study."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from sqlalchemy import Engine

from deploy.fetching import ask_for_counts, fetch_missing
from deploy.settings import DicomSection, PeerSection, Settings, SettingsFile
from dicom_gateway.group_commit import GroupCommit
from dicom_gateway.spool import prepare_spool
from dicom_gateway.storing import Storing
from dicom_gateway.web_intake import SignedIn
from storage.audit import AuditTrail
from storage.completion_signals import keep_count
from storage.fetches import MOST_FETCHES, planned_fetches
from storage.instances import list_instances
from storage.intake import IntakeRows
from storage.worklist_rows import WorklistReader
from tests.builders import STUDY, an_instance
from tests.integration.test_receiver import a_ct
from tests.integration.test_workflow import receive, the_study
from tests.running import ORTHANC, free_port, orthanc_running, wait_for
from triage.completion import CompletionSignal
from triage.identifiers import StudyInstanceUid
from triage.study import StudyStatus
from triage.workflow import Receiving

HEAD = StudyInstanceUid("2.25.100")
MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
needs_orthanc = pytest.mark.skipif(ORTHANC is None, reason="Orthanc is missing: run tests/install_peers.sh")


@dataclass(frozen=True)
class Site:
    """The settings that name an archive, and what the monitor does with them."""

    settings: Settings
    engine: Engine

    def ask(self) -> None:
        ask_for_counts(self.settings, self.engine)

    def fetch(self, receiving: Receiving) -> None:
        spool = prepare_spool(self.settings.home / "spool", 0)
        store = Storing(SignedIn(), spool, GroupCommit(spool, receiving), IntakeRows(self.engine))
        fetch_missing(self.settings, self.engine, store, receiving.offers)


def site_of(ae_title: str, port: int, folder: Path, engine) -> Site:
    peer = PeerSection(ae_title=ae_title, host="127.0.0.1", port=port, answers_queries=True)
    return Site(Settings(folder, SettingsFile(dicom=DicomSection(peers=(peer,)))), engine)


def head_slices(folder: Path) -> list[Path]:
    """Return six slices that HEAD_CT accepts as a whole series, 5 mm apart."""
    return [a_slice(folder, number) for number in range(6)]


def a_slice(folder: Path, number: int, **changes: object) -> Path:
    image = a_ct()
    image.SOPInstanceUID = f"2.25.3{number:03}"
    image.BodyPartExamined, image.SeriesDescription, image.InstanceNumber = "HEAD", "Axial", number
    image.ImageType, image.SliceThickness = ["ORIGINAL", "PRIMARY", "AXIAL"], 5
    image.ImagePositionPatient, image.ImageOrientationPatient = [0, 0, 5 * number], [1, 0, 0, 0, 1, 0]
    image.PixelSpacing = [0.5, 0.5]
    for keyword, value in changes.items():
        setattr(image, keyword, value)
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return folder / f"{number}.dcm"


def fetched_lines(engine, uid: StudyInstanceUid = HEAD) -> tuple[str, ...]:
    return WorklistReader(engine).detail(uid).fetched


def acts_of_fetching(engine) -> list[dict[str, str]]:
    found = [one.event for one in AuditTrail(engine).every()]
    return [dict(one.details) for one in found if one.action.value == "images_fetched"]


@needs_orthanc
def test_slices_that_the_sender_lost_come_by_c_get_and_the_study_completes_with_all_of_them(
    start_receiver, receiving, transactions, engine, clock, dcmtk, tmp_path
):
    with orthanc_running(tmp_path / "orthanc") as orthanc:
        files, receiver = head_slices(tmp_path), start_receiver()
        # Of another modality, which no model sees: it stays where it is.
        other = a_slice(tmp_path, 9, Modality="MR", SOPClassUID=MR_IMAGE_STORAGE, SeriesInstanceUID="2.25.201")
        orthanc.know("ACUITY", receiver.port)
        dcmtk("storescu", "-R", "127.0.0.1", orthanc.dicom_port, *files, other)
        dcmtk("storescu", "-R", "-aet", "ORTHANC", "127.0.0.1", receiver.port, *(files[one] for one in (0, 1, 4, 5)))
        site = site_of("ORTHANC", orthanc.dicom_port, tmp_path, engine)
        wait_for(lambda: closed(receiver, engine), 10)
        site.ask()
        clock.forward(seconds=5)

        when_quiet = receiving.close_quiet_studies()
        site.fetch(receiving)
        site.fetch(receiving)
        clock.forward(seconds=1)
        completed = receiving.close_quiet_studies()

    with transactions.begin() as records:
        study = records.studies.get(HEAD)
    here = {one["sop_instance_uid"]: one["path"] for one in list_instances(engine)}
    assert (when_quiet, completed, study.revision) == ((), (HEAD,), 1)
    assert study.completed_by is CompletionSignal.NEEDED_SERIES
    assert sorted(here) == [f"2.25.3{number:03}" for number in range(6)]
    assert without_meta(here["2.25.3002"]) == without_meta(files[2])
    assert fetched_lines(engine) == ("fetched 2 missing images from ORTHANC",)
    assert acts_of_fetching(engine) == [{"source": "ORTHANC", "missing": "2", "fetched": "2"}]


def without_meta(path: str | Path) -> Dataset:
    return Dataset(dcmread(path))


def closed(receiver, engine) -> bool:
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT every(closed_at IS NOT NULL) FROM associations").scalar_one()


@contextmanager
def archive_without_c_get(folder: Path, receiver_port: int) -> Iterator[int]:
    """Run DCMTK's archive, which then offers C-MOVE alone; it knows where ACUITY is."""
    port = free_port()
    (folder / "held").mkdir()
    (folder / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 8\nHostTable BEGIN\n"
        f"acuity = (ACUITY, 127.0.0.1, {receiver_port})\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nPACS {folder / 'held'} RW (200, 1024mb) ANY\nAETable END\n"
    )
    command = ["/usr/bin/dcmqrscp", "--disable-get", "-c", str(folder / "dcmqrscp.cfg")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder) as archive:
        try:
            yield port
        finally:
            archive.kill()


def test_where_c_get_is_not_offered_the_source_is_asked_to_send_by_c_move(
    start_receiver, receiving, transactions, engine, clock, dcmtk, tmp_path
):
    files, receiver = head_slices(tmp_path), start_receiver()
    if not Path("/usr/bin/dcmqrscp").exists():
        pytest.skip("DCMTK's dcmqrscp is not installed (tests/install_peers.sh needs apt-get)")
    with archive_without_c_get(tmp_path, receiver.port) as port:
        wait_for(lambda: dcmtk("echoscu", "-aec", "PACS", "127.0.0.1", port).returncode == 0, 20)
        dcmtk("storescu", "-R", "-aec", "PACS", "127.0.0.1", port, *files)
        dcmtk("storescu", "-R", "-aet", "PACS", "127.0.0.1", receiver.port, files[0], files[5])
        site = site_of("PACS", port, tmp_path, engine)
        keep_count(engine, HEAD, "PACS", 6)
        wait_for(lambda: closed(receiver, engine), 10)
        clock.forward(seconds=5)
        receiving.close_quiet_studies()

        site.fetch(receiving)
        wait_for(lambda: closed(receiver, engine), 10)
        clock.forward(seconds=1)
        completed = receiving.close_quiet_studies()

    with transactions.begin() as records:
        assert records.studies.get(HEAD).completed_by is CompletionSignal.C_FIND
    assert (completed, len(list_instances(engine))) == ((HEAD,), 6)
    assert fetched_lines(engine) == ("fetched 4 missing images from PACS",)


def test_a_source_that_is_gone_is_said_and_silence_completes_the_study(
    receiving, transactions, engine, clock, tmp_path
):
    receive(receiving, 0, 1, 5)
    keep_count(engine, STUDY, "PACS", 6)
    clock.forward(seconds=5)
    held = receiving.close_quiet_studies()

    site_of("PACS", free_port(), tmp_path, engine).fetch(receiving)

    assert (held, receiving.close_quiet_studies()) == ((), (STUDY,))
    assert the_study(transactions).completed_by is CompletionSignal.QUIET_PERIOD
    (line,) = fetched_lines(engine, STUDY)
    assert line.startswith("fetched no missing images from PACS: PACS (PACS@127.0.0.1:")
    assert acts_of_fetching(engine) == [{"source": "PACS", "missing": "0", "fetched": "0"}]


def test_a_fetch_that_does_not_end_holds_a_study_for_a_minute_at_most(receiving, transactions, engine, clock):
    receive(receiving, 0, 1, 5)
    keep_count(engine, STUDY, "PACS", 6)
    clock.forward(seconds=5)
    answers = [receiving.close_quiet_studies()]
    clock.forward(seconds=59)
    answers.append(receiving.close_quiet_studies())
    clock.forward(seconds=1)
    answers.append(receiving.close_quiet_studies())

    assert answers == [(), (), (STUDY,)]


def test_late_instances_make_a_source_be_asked_a_few_times_and_never_for_ever(
    receiving, transactions, engine, clock, tmp_path
):
    site = site_of("PACS", free_port(), tmp_path, engine)
    planned = []
    for number in range(MOST_FETCHES + 2):
        receiving.register_instance(an_instance(number))
        keep_count(engine, STUDY, "PACS", 100)
        clock.forward(seconds=5)
        receiving.close_quiet_studies()
        planned.append(len(planned_fetches(engine, ["PACS"])))
        site.fetch(receiving)
        receiving.close_quiet_studies()

    assert planned == [1] * MOST_FETCHES + [0, 0]
    assert (the_study(transactions).status, the_study(transactions).revision) == (StudyStatus.COMPLETE, len(planned))
