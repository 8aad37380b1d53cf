"""Studies complete by the signal that comes first, and say by which; what comes late or twice has its stated policy."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.sop_class import ModalityPerformedProcedureStep
from sqlalchemy import select

from deploy.dimse_services import PROCEDURE_STEP
from deploy.fetching import ask_for_counts
from deploy.monitor import with_learned_silences
from deploy.settings import read_settings
from dicom_gateway.peers import Peer, PeerList
from dicom_gateway.procedure_steps import ProcedureStepService
from storage.commitments import CommitmentRows
from storage.completion_signals import ProcedureStepRows, uncounted_studies
from storage.instances import list_instances
from storage.schema import instance_conflicts
from storage.schema_of_announcements import procedure_steps, source_counts
from storage.worklist_rows import WorklistReader
from tests.builders import CT_IMAGE_STORAGE, STUDY, an_image, an_instance
from tests.integration.test_receiver import a_ct, count, encoded, store_raw
from tests.integration.test_workflow import receive, the_study
from tests.running import ORTHANC, acuity, orthanc_running, wait_for
from triage.commitment import Reference
from triage.completion import CompletionSignal
from triage.quiet_time import FEWEST_STUDIES, QuietBounds
from triage.study import StudyStatus


class Scanner:
    """Says by MPPS what it does."""

    def __init__(self, port: int, ae_title: str = "CT1") -> None:
        self.port, self.ae_title = port, ae_title

    def begin(self, uid: str, status: str = "IN PROGRESS", study: str = STUDY) -> int:
        step = Dataset()
        step.SpecificCharacterSet, step.PatientName = "ISO_IR 100", "Müller^Jörg"
        step.PerformedProcedureStepStatus = status
        scheduled = Dataset()
        scheduled.StudyInstanceUID = study
        step.ScheduledStepAttributesSequence = [scheduled]
        return self._say(lambda one: one.send_n_create(step, ModalityPerformedProcedureStep, uid))

    def end(self, uid: str, *images: int, status: str = "COMPLETED") -> int:
        change = Dataset()
        change.PerformedProcedureStepStatus = status
        series = Dataset()
        series.ReferencedImageSequence = [_named(number) for number in images]
        change.PerformedSeriesSequence = [series]
        return self._say(lambda one: one.send_n_set(change, ModalityPerformedProcedureStep, uid))

    def _say(self, request) -> int:
        entity = AE(ae_title=self.ae_title)
        entity.add_requested_context(ModalityPerformedProcedureStep, ExplicitVRLittleEndian)
        association = entity.associate("127.0.0.1", self.port)
        status, _ = request(association)
        association.release()
        return int(status.Status)


def _named(number: int) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT_IMAGE_STORAGE, an_image(number).sop_instance_uid
    return item


@pytest.fixture
def scanner(start_receiver, engine) -> Scanner:
    peers = PeerList((Peer("CT1", "127.0.0.1"),))
    service = ProcedureStepService(peers, ProcedureStepRows(engine))
    return Scanner(start_receiver(peers=peers, services={PROCEDURE_STEP: service}).port)


def test_a_step_that_has_ended_completes_the_study_when_its_last_image_is_here(
    scanner, receiving, transactions, engine, intake
):
    intake.association_opened("a1", "CT1", "127.0.0.1")
    statuses = [scanner.begin("2.25.9"), scanner.end("2.25.9", 0, 1)]

    receive(receiving, 0)
    too_early = receiving.close_quiet_studies()
    receive(receiving, 1)

    assert (statuses, too_early, receiving.close_quiet_studies()) == ([0, 0], (), (STUDY,))
    assert the_study(transactions).completed_by is CompletionSignal.MPPS
    assert WorklistReader(engine).detail(STUDY).row.as_object()["completed_by"] == "mpps"


def test_a_second_step_in_progress_is_waited_for(scanner, receiving, clock):
    scanner.begin("2.25.9")
    scanner.end("2.25.9", 0)
    scanner.begin("2.25.10")
    receive(receiving, 0)

    assert receiving.close_quiet_studies() == ()
    scanner.end("2.25.10", status="DISCONTINUED")
    assert receiving.close_quiet_studies() == (STUDY,)


def test_a_step_keeps_to_the_states_of_the_standard(scanner, engine):
    assert scanner.begin("2.25.9", status="COMPLETED") == 0x0106
    assert scanner.begin("2.25.9", study="x") == 0x0106
    assert (scanner.begin("2.25.9"), scanner.begin("2.25.9")) == (0, 0x0111)
    assert scanner.end("2.25.404") == 0x0112
    assert scanner.end("2.25.9", status="PAUSED") == 0x0106
    assert (scanner.end("2.25.9", 0), scanner.end("2.25.9", 1)) == (0, 0x0110)
    with engine.connect() as connection:
        row = connection.execute(select(procedure_steps)).one()
    assert (row.status, row.ae_title, row.study_instance_uid) == ("COMPLETED", "CT1", STUDY)
    assert row.content["00100010"]["Value"] == [{"Alphabetic": "Müller^Jörg"}]


def test_who_may_not_store_may_not_announce(scanner, engine):
    assert Scanner(scanner.port, "STRANGER").begin("2.25.9") == 0x0124
    assert count(engine, procedure_steps) == 0


def test_a_commitment_request_for_every_image_completes_the_study(receiving, transactions, clock, engine):
    receive(receiving, 0, 1, 2)
    clock.forward(seconds=1)
    for number in range(3):
        assert receiving.close_quiet_studies() == ()
        named = [Reference(CT_IMAGE_STORAGE, an_image(number).sop_instance_uid)]
        CommitmentRows(engine).requested("CT1", "127.0.0.1", f"2.25.{number}", named)

    assert receiving.close_quiet_studies() == (STUDY,)
    assert the_study(transactions).completed_by is CompletionSignal.STORAGE_COMMITMENT


def test_without_another_signal_the_needed_series_or_silence_completes(receiving, transactions, clock):
    receive(receiving, *range(6))
    clock.forward(seconds=1)
    receiving.close_quiet_studies()
    by_geometry = the_study(transactions).completed_by

    receive(receiving, 9)
    reopened = the_study(transactions)
    clock.forward(seconds=5)
    receiving.close_quiet_studies()

    assert by_geometry is CompletionSignal.NEEDED_SERIES
    # A late image: the next revision, and whatever completed the last one says nothing about this one.
    assert (reopened.status, reopened.revision, reopened.completed_by) == (StudyStatus.RECEIVING, 2, None)
    assert the_study(transactions).completed_by is CompletionSignal.QUIET_PERIOD


def test_the_quiet_period_is_learnt_from_the_scanners_own_silences(receiving, clock, engine, transactions):
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO studies (study_instance_uid, header, status, revision, order_priority, priority, ai_state,"
            " reason, received_at, last_instance_at, deadline, complete_at) SELECT '1.' || n, '{}', 'COMPLETE', 1, 3,"
            f" 3, 'pending', '', now(), now(), now(), now() FROM generate_series(1, {FEWEST_STUDIES}) n"
        )
        connection.exec_driver_sql(
            "INSERT INTO instances SELECT '1.' || n || '.' || i, '1.1', '1.' || n, '{}', '{}', '', 0, '', '', 'CT1',"
            " '', '', now() + i * interval '10 seconds' FROM"
            f" generate_series(1, {FEWEST_STUDIES}) n, generate_series(1, 3) i"
        )
    learned = with_learned_silences(receiving, engine, QuietBounds())
    receive(learned, 0)

    # The longest silence in each study is 10 s, so 15 s are waited, not the 5 s of the settings.
    clock.forward(seconds=14.9)
    too_early = learned.close_quiet_studies()
    clock.forward(seconds=0.1)

    assert learned.rule.learned_quiet_periods == {"CT1": timedelta(seconds=15)}
    assert (too_early, learned.close_quiet_studies()) == ((), (STUDY,))
    assert the_study(transactions).completed_by is CompletionSignal.LEARNED_QUIET_PERIOD


def test_the_same_instance_on_eight_associations_at_once_is_one_instance(start_receiver, engine):
    receiver, sent = start_receiver(), encoded(a_ct())

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: store_raw(receiver.port, sent), range(8)))

    assert statuses == [0] * 8
    assert (count(engine, instance_conflicts), len(list_instances(engine))) == (0, 1)


def test_one_instance_uid_in_two_series_is_a_conflict_and_stays_in_the_first(start_receiver, engine):
    receiver, other_series = start_receiver(), a_ct()
    other_series.SeriesInstanceUID = "2.25.201"

    statuses = [store_raw(receiver.port, encoded(one)) for one in (a_ct(), other_series)]

    assert statuses == [0, 0]
    assert [one["series_instance_uid"] for one in list_instances(engine)] == ["2.25.200"]
    assert count(engine, instance_conflicts) == 1


def test_a_late_image_is_part_of_the_next_revision_at_once(receiving, transactions, clock):
    receive(receiving, 0)
    clock.forward(seconds=5)
    receiving.close_quiet_studies()

    receiving.register_instance(an_instance(1))

    assert (the_study(transactions).revision, the_study(transactions).status) == (2, StudyStatus.RECEIVING)


@pytest.mark.skipif(ORTHANC is None, reason="Orthanc is missing: run tests/install_peers.sh")
def test_a_study_is_fetched_from_its_source_and_complete_when_as_many_are_here_as_the_source_says(
    start_receiver, engine, receiving, transactions, clock, tmp_path, dcmtk
):
    with orthanc_running(tmp_path / "orthanc") as orthanc:
        receiver = start_receiver()
        orthanc.know("ACUITY", receiver.port)
        files = [a_file_of(number, tmp_path) for number in (1, 2)]
        dcmtk("storescu", "127.0.0.1", orthanc.dicom_port, *files)
        dcmtk("storescu", "-aet", "ORTHANC", "127.0.0.1", receiver.port, files[0])
        (tmp_path / "acuity.toml").write_text(
            f'[[dicom.peers]]\nae_title = "ORTHANC"\nhost = "127.0.0.1"\nport = {orthanc.dicom_port}\n'
            "answers_queries = true\n"
        )
        settings = read_settings(tmp_path / "acuity.toml")
        wait_for(lambda: (ask_for_counts(settings, engine), count(engine, source_counts))[1], 20)
        clock.forward(seconds=1)
        with_one_of_two = receiving.close_quiet_studies()

        fetched = acuity(tmp_path, "fetch", "2.25.100", "--from", "ORTHANC", "--json")
        unknown = acuity(tmp_path, "fetch", "2.25.100", "--from", "NOBODY")
        wait_for(lambda: not uncounted_studies(engine, ["ORTHANC"]) or ask_for_counts(settings, engine), 20)
        clock.forward(seconds=1)
        completed = wait_for(receiving.close_quiet_studies, 20)

    assert with_one_of_two == ()
    assert json.loads(fetched.stdout) == {"study_instance_uid": "2.25.100", "completed": 2, "failed": 0}
    assert (unknown.returncode, "known: ORTHANC" in unknown.stderr) == (2, True)
    assert completed == ("2.25.100",)
    with transactions.begin() as records:
        assert records.studies.get(completed[0]).completed_by is CompletionSignal.C_FIND


def a_file_of(number: int, folder: Path) -> Path:
    image = a_ct()
    image.SOPInstanceUID = f"2.25.{number}"
    image.file_meta.MediaStorageSOPClassUID = CT_IMAGE_STORAGE
    image.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return folder / f"{number}.dcm"
