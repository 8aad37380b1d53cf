"""C-FIND, C-GET and C-MOVE asked by DCMTK and Orthanc: what is here is found, and sent byte for byte."""

import struct

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import CTImageStorage

from deploy.clock import SystemClock
from dicom_gateway.peers import Peer, PeerList
from dicom_gateway.querying import STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE, QueryService
from dicom_gateway.sender import DicomSender
from storage.audit import AuditTrail
from storage.instances import list_instances
from storage.queries import QueryRows
from tests.integration.test_receiver import a_ct, data_set_bytes, encoded, store_raw
from tests.integration.test_upper_layer import requestor
from tests.pdus import EXPLICIT, associate_rq, command, pdu, pdv
from tests.running import ORTHANC, free_port, orthanc_running, wait_for


@pytest.fixture
def move_port() -> int:
    return free_port()


@pytest.fixture
def own_folder(tmp_path):
    """An empty folder for what a peer gets; movescu writes to the one that it runs in."""
    folder = tmp_path / "got"
    folder.mkdir()
    return folder


@pytest.fixture
def start_querying(start_receiver, engine, move_port):
    def start(*others: Peer):
        asking = (Peer(name, "127.0.0.1", move_port, True) for name in ("ASKER", "MOVER"))
        peers = PeerList((*asking, Peer("CT1", "127.0.0.1"), *others))
        service = QueryService(
            peers, QueryRows(engine), DicomSender((), "ACUITY"), SystemClock(), AuditTrail(engine).note
        )
        return start_receiver(
            peers=peers, services=dict.fromkeys((STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE), service)
        )

    return start


@pytest.fixture
def querying(start_querying):
    return start_querying()


def keep(port: int, uid: str = "2.25.11", **values: str) -> Dataset:
    """Store a small CT image with these attributes."""
    image = a_ct()
    image.SOPInstanceUID = uid
    for name, value in values.items():
        setattr(image, name, value)
    assert store_raw(port, encoded(image), uid=uid) == 0
    return image


def find(port: int, level: str = "STUDY", ae_title: str = "ASKER", **keys: str) -> tuple[int, list[Dataset]]:
    """Return the final status of a C-STUDY_ROOT_FIND and its matches."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for name, value in keys.items():
        setattr(identifier, name, value)
    entity = AE(ae_title=ae_title)
    entity.add_requested_context(STUDY_ROOT_FIND)
    association = entity.associate("127.0.0.1", port)
    answers = list(association.send_c_find(identifier, STUDY_ROOT_FIND))
    association.release()
    return int(answers[-1][0].Status), [found for _, found in answers[:-1]]


def three_studies(port: int) -> None:
    keep(port, "2.25.1", StudyInstanceUID="2.25.101", StudyDate="20260101", AccessionNumber="A1", Modality="CT")
    keep(port, "2.25.2", StudyInstanceUID="2.25.102", StudyDate="20260215", AccessionNumber="A2", Modality="MR",
         PatientName="MÜLLER^JÖRG", SpecificCharacterSet="ISO_IR 100", StudyTime="103059.5")  # fmt: skip
    keep(port, "2.25.3", StudyInstanceUID="2.25.103", StudyDate="20260331", PatientID="P_1%", StudyDescription="100%")


@pytest.mark.parametrize(
    ("keys", "numbers"),
    [
        ({}, [101, 102, 103]),
        ({"StudyInstanceUID": ["2.25.101", "2.25.103"]}, [101, 103]),
        ({"PatientName": "doe^*"}, [101, 103]),
        ({"PatientName": "DOE^JAN?"}, [101, 103]),
        ({"PatientName": "müller*", "SpecificCharacterSet": "ISO_IR 100"}, [102]),
        ({"PatientID": "P_1%"}, [103]),
        ({"PatientID": "P_*"}, [103]),
        ({"StudyDescription": "100%*"}, [103]),
        ({"AccessionNumber": "a1"}, []),
        ({"StudyDate": "20260101-20260215"}, [101, 102]),
        ({"StudyDate": "20260216-"}, [103]),
        ({"StudyDate": "-20260101"}, [101]),
        ({"StudyTime": "10-1030"}, [102]),
        ({"ModalitiesInStudy": "MR"}, [102]),
        ({"ModalitiesInStudy": ["MR", "CT"]}, [101, 102, 103]),
        ({"StudyDate": "20260215", "PatientName": "DOE*"}, []),
    ],
)
def test_each_kind_of_matching_finds_what_the_standard_says(querying, keys, numbers):
    three_studies(querying.port)

    status, found = find(querying.port, **{"StudyInstanceUID": "", **keys})

    assert status == 0
    assert sorted(str(one.StudyInstanceUID) for one in found) == [f"2.25.{number}" for number in numbers]


def test_an_answer_has_what_was_asked_for_in_a_character_set_that_holds_it(querying):
    three_studies(querying.port)

    _, (found,) = find(
        querying.port, AccessionNumber="A2", PatientName="", ModalitiesInStudy="", NumberOfStudyRelatedInstances="",
        NumberOfStudyRelatedSeries="", ReferringPhysicianName="",
    )  # fmt: skip

    assert (found.SpecificCharacterSet, str(found.PatientName)) == ("ISO_IR 192", "MÜLLER^JÖRG")
    assert (found.ModalitiesInStudy, found.NumberOfStudyRelatedInstances) == ("MR", 1)
    assert (found.RetrieveAETitle, found.ReferringPhysicianName, found.NumberOfStudyRelatedSeries) == ("ACUITY", "", 1)
    assert "PatientID" not in found


def test_series_and_images_are_found_below_their_study(querying):
    keep(querying.port, "2.25.1", SeriesNumber="7", InstanceNumber="2")
    keep(querying.port, "2.25.2", SeriesNumber="7", InstanceNumber="10")

    _, (series,) = find(
        querying.port, "SERIES", StudyInstanceUID="2.25.100", SeriesInstanceUID="", SeriesNumber="7", Modality="",
        NumberOfSeriesRelatedInstances="",
    )  # fmt: skip
    _, images = find(
        querying.port, "IMAGE", StudyInstanceUID="2.25.100", SeriesInstanceUID="2.25.200", SOPInstanceUID="",
        InstanceNumber="",
    )  # fmt: skip

    assert (series.SeriesInstanceUID, series.Modality, series.NumberOfSeriesRelatedInstances) == ("2.25.200", "CT", 2)
    assert [(one.SOPInstanceUID, one.InstanceNumber) for one in images] == [("2.25.1", 2), ("2.25.2", 10)]


def test_questions_that_make_no_sense_and_strangers_are_refused(querying):
    assert find(querying.port, "PATIENT")[0] == 0xA900
    assert find(querying.port, "SERIES", SeriesInstanceUID="")[0] == 0xA900
    assert find(querying.port, ae_title="CT1")[0] == 0x0124
    assert find(querying.port, ae_title="STRANGER")[0] == 0x0124


def test_who_asked_for_what_is_in_the_audit_chain(querying, engine, dcmtk, own_folder):
    three_studies(querying.port)
    find(querying.port, StudyDate="20260101", PatientName="")
    find(querying.port, ae_title="CT1", StudyDate="20260101")
    key = "StudyInstanceUID=2.25.101"
    calling = ("+B", "-aet", "ASKER", "127.0.0.1", querying.port)
    dcmtk("getscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", key, *calling, folder=own_folder)

    events = [one.event for one in reversed(AuditTrail(engine).newest(10))]

    told = [(one.actor.name, one.actor.role, one.action.value, one.succeeded, one.study_instance_uid) for one in events]
    assert told == [
        ("ASKER", "peer", "query_answered", True, None),
        ("CT1", "peer", "access_refused", False, None),
        ("ASKER", "peer", "images_retrieved", True, "2.25.101"),
    ]
    assert dict(events[2].details) == {"level": "STUDY", "instances": "1", "to": "ASKER", "host": "127.0.0.1"}


def test_a_cancelled_question_gets_no_further_answer(querying):
    keep(querying.port)
    level = struct.pack("<HH2sH", 0x0008, 0x0052, b"CS", 6) + b"STUDY "
    question = pdu(4, pdv(1, 3, command(0x0020, STUDY_ROOT_FIND)) + pdv(1, 2, level))
    cancel = pdu(4, pdv(1, 3, command(0x0FFF, STUDY_ROOT_FIND, data_set=False)))
    proposal = associate_rq([(1, STUDY_ROOT_FIND, (EXPLICIT,))], calling="ASKER")

    with requestor(querying.port, proposal) as asker:
        asker.hear()
        asker.say(question + cancel)
        cancelled = asker.hear_status()
        asker.say(cancel + question)
        match, _, done = asker.hear_status(), asker.hear(), asker.hear_status()

    assert (cancelled, match, done) == (0xFE00, 0xFF00, 0x0000)


def test_dcmtk_finds_and_gets_the_bytes_that_are_here(querying, engine, dcmtk, own_folder):
    sent = dcmtk("storescu", "-aet", "CT1", "-R", "-xe", "127.0.0.1", querying.port, get_testdata_file("CT_small.dcm"))
    assert sent.returncode == 0, sent.stderr
    (kept,) = list_instances(engine)
    calling = ("-aet", "ASKER", "127.0.0.1", querying.port)

    asked = dcmtk("findscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID", *calling)
    key = f"StudyInstanceUID={kept['study_instance_uid']}"
    got = dcmtk("getscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", key, "+B", *calling, folder=own_folder)

    assert "[1CT1]" in asked.stderr + asked.stdout
    assert got.returncode == 0, got.stderr
    (file,) = own_folder.iterdir()
    assert data_set_bytes(str(file)) == data_set_bytes(kept["path"])


def test_dcmtk_has_a_study_moved_to_its_own_port(querying, engine, dcmtk, own_folder, move_port):
    keep(querying.port, "2.25.1")
    keep(querying.port, "2.25.2")

    moved = dcmtk(
        "movescu", "-S", "-aet", "MOVER", "-aem", "MOVER", "+P", move_port, "+B", "-k", "QueryRetrieveLevel=STUDY",
        "-k", "StudyInstanceUID=2.25.100", "127.0.0.1", querying.port, folder=own_folder,
    )  # fmt: skip
    nowhere = dcmtk(
        "movescu", "-S", "-v", "-aet", "MOVER", "-aem", "NOBODY",
        "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=2.25.100", "127.0.0.1", querying.port,
    )  # fmt: skip

    assert moved.returncode == 0, moved.stderr
    kept = {one["sop_instance_uid"]: data_set_bytes(one["path"]) for one in list_instances(engine)}
    assert {str(dcmread(file).SOPInstanceUID): data_set_bytes(str(file)) for file in own_folder.iterdir()} == kept
    assert "MoveDestinationUnknown" in (nowhere.stdout + nowhere.stderr).replace(" ", "")


def test_a_move_to_a_peer_that_is_away_fails_and_says_for_what(querying):
    keep(querying.port)

    status, counts = move(querying.port, "MOVER")

    assert (status.Status, status.NumberOfFailedSuboperations) == (0xA702, 1)
    assert counts.FailedSOPInstanceUIDList == "2.25.11"


def move(port: int, destination: str) -> tuple[Dataset, Dataset]:
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", "2.25.100"
    entity = AE(ae_title="MOVER")
    entity.add_requested_context(STUDY_ROOT_MOVE)
    association = entity.associate("127.0.0.1", port)
    answers = list(association.send_c_move(identifier, destination, STUDY_ROOT_MOVE))
    association.release()
    return answers[-1]


@pytest.mark.parametrize(
    ("syntax", "expected"),
    [(ExplicitVRLittleEndian, (0, 1, 0)), (ImplicitVRLittleEndian, (0, 1, 0)), (JPEG2000Lossless, (0xA702, 0, 1))],
)
def test_an_image_is_written_anew_only_for_a_peer_that_takes_no_other_syntax(querying, syntax, expected):
    keep(querying.port)
    got: list[Dataset] = []
    entity = AE(ae_title="ASKER")
    entity.add_requested_context(STUDY_ROOT_GET)
    entity.add_requested_context(CTImageStorage, syntax)

    def store(event: evt.Event) -> int:
        got.append(event.dataset)
        return 0x0000

    association = entity.associate(
        "127.0.0.1", querying.port, ext_neg=[build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, store)],
    )  # fmt: skip
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", "2.25.100"
    *_, (status, _) = association.send_c_get(identifier, STUDY_ROOT_GET)
    association.release()

    counts = (status.NumberOfCompletedSuboperations, status.NumberOfFailedSuboperations)
    assert (status.Status, *counts) == expected
    assert [(one.PatientName, one.PixelData) for one in got] == [("DOE^JANE", a_ct().PixelData)] * counts[0]


@pytest.mark.skipif(ORTHANC is None, reason="Orthanc is missing: run tests/install_peers.sh")
def test_orthanc_queries_and_retrieves_a_study(start_querying, tmp_path):
    with orthanc_running(tmp_path / "orthanc") as orthanc:
        querying = start_querying(Peer("ORTHANC", "127.0.0.1", orthanc.dicom_port, True))
        orthanc.know("ACUITY", querying.port)
        keep(querying.port, PatientName="MÜLLER^JÖRG", SpecificCharacterSet="ISO_IR 100")

        query = {"Level": "Study", "Query": {"StudyInstanceUID": "", "PatientName": "M*"}}
        path = orthanc.post("/modalities/ACUITY/query", query)["Path"]
        (number,) = orthanc.get(f"{path}/answers")
        content = orthanc.get(f"{path}/answers/{number}/content?simplify")
        orthanc.post(f"{path}/answers/{number}/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})
        (instance,) = wait_for(lambda: orthanc.get("/instances"), 20)

        assert (content["StudyInstanceUID"], content["PatientName"]) == ("2.25.100", "MÜLLER^JÖRG")
        assert orthanc.get(f"/instances/{instance}/simplified-tags")["SOPInstanceUID"] == "2.25.11"
