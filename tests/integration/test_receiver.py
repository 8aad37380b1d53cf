"""Receiving from real senders: what is acknowledged is kept byte for byte, and every refusal is the honest one."""

import hashlib
from io import BytesIO
from types import SimpleNamespace

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import P_DATA
from sqlalchemy import func, select

from dicom_gateway.peers import Peer, PeerList
from dicom_gateway.statuses import StoreStatus
from storage.database import connect
from storage.instances import list_instances
from storage.schema import associations, instance_conflicts, instances, quarantine, studies
from tests.builders import CT_IMAGE_STORAGE
from tests.running import wait_for
from tests.wire import Refused, Requestor, requestor


def a_ct() -> Dataset:
    """Return a small CT image of our own making."""
    data_set = Dataset()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data_set.SOPClassUID, data_set.SOPInstanceUID = CT_IMAGE_STORAGE, "2.25.11"
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = "2.25.100", "2.25.200"
    data_set.PatientName, data_set.PatientID, data_set.Modality = "DOE^JANE", "P1", "CT"
    data_set.Rows = data_set.Columns = 4
    data_set.BitsAllocated = data_set.BitsStored = 16
    data_set.HighBit, data_set.PixelRepresentation, data_set.SamplesPerPixel = 15, 0, 1
    data_set.PhotometricInterpretation = "MONOCHROME2"
    data_set.PixelData = bytes(range(32))
    return data_set


def encoded(data_set: Dataset) -> bytes:
    stream = BytesIO()
    stripped = Dataset(data_set)
    dcmwrite(stream, stripped, implicit_vr=False, little_endian=True, enforce_file_format=False)
    return stream.getvalue()


def store_raw(port: int, data_set: bytes, sop_class=CT_IMAGE_STORAGE, uid="2.25.11", ae_title="CT1") -> int:
    """Send exactly these bytes as the data set of one C-STORE, and return the status."""
    entity = AE(ae_title=ae_title)
    entity.add_requested_context(sop_class, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port)
    assert association.is_established
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = sop_class, uid
    request.DataSet = BytesIO(data_set)
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, 1)
    if not data_set:
        # pynetdicom sends no fragment at all for an empty data set; a file of 0 bytes is one empty last fragment.
        fragment = P_DATA()
        fragment.presentation_data_value_list = [[1, b"\x02"]]
        association.dul.send_pdu(fragment)
    _, response = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    association.release()
    assert response is not None
    return int(response.Status)


def count(engine, table) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_an_acknowledged_instance_is_indexed_with_the_digest_of_its_bytes(start_receiver, engine):
    sent = encoded(a_ct())

    status = store_raw(start_receiver().port, sent)

    (kept,) = list_instances(engine)
    assert status == StoreStatus.SUCCESS
    assert kept["sha256"] == hashlib.sha256(sent).hexdigest()
    assert kept["size"] == len(sent)
    with open(kept["path"], "rb") as file:
        assert file.read().endswith(sent)
    assert dcmread(kept["path"]).PatientName == "DOE^JANE"


def test_the_same_instance_twice_is_one_instance(start_receiver, engine):
    receiver, sent = start_receiver(), encoded(a_ct())

    statuses = [store_raw(receiver.port, sent), store_raw(receiver.port, sent)]

    assert statuses == [StoreStatus.SUCCESS, StoreStatus.SUCCESS]
    assert (count(engine, instances), count(engine, instance_conflicts)) == (1, 0)


def test_other_bytes_under_a_known_uid_are_kept_as_a_conflict(start_receiver, engine):
    receiver, first, second = start_receiver(), a_ct(), a_ct()
    second.PixelData = bytes(32)

    statuses = [store_raw(receiver.port, encoded(first)), store_raw(receiver.port, encoded(second))]

    assert statuses == [StoreStatus.SUCCESS, StoreStatus.SUCCESS]
    (kept,) = list_instances(engine)
    assert kept["sha256"] == hashlib.sha256(encoded(first)).hexdigest()
    with engine.connect() as connection:
        conflict = connection.execute(select(instance_conflicts)).one()
    with open(conflict.path, "rb") as file:
        assert file.read().endswith(encoded(second))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda sent: b"", "0 bytes: no element in it"),
        (lambda sent: sent[:-7], "ends inside element"),
        (lambda sent: sent[:3], "are none"),
        (lambda sent: b"\xff" * len(sent), ""),
        (lambda sent: sent.replace(b"2.25.100", b"2.25.x00"), "StudyInstanceUID"),
    ],
    ids=["empty", "truncated", "stub", "noise", "bad uid"],
)
def test_bytes_that_nobody_can_read_are_kept_apart_and_the_next_one_is_received(start_receiver, engine, damage, said):
    receiver, sound = start_receiver(), encoded(a_ct())

    status = store_raw(receiver.port, damage(sound))

    assert status == StoreStatus.CANNOT_UNDERSTAND
    with engine.connect() as connection:
        row = connection.execute(select(quarantine)).one()
    with open(row.path, "rb") as file:
        assert file.read().endswith(damage(sound))
    assert said in row.reason
    assert store_raw(receiver.port, sound) == StoreStatus.SUCCESS


def test_a_data_set_without_uids_is_kept_apart(start_receiver, engine):
    nameless = a_ct()
    del nameless.StudyInstanceUID

    assert store_raw(start_receiver().port, encoded(nameless)) == StoreStatus.CANNOT_UNDERSTAND
    assert count(engine, quarantine) == 1


def test_a_data_set_of_another_class_than_announced_is_refused_and_kept_apart(start_receiver, engine):
    mr_image_storage = "1.2.840.10008.5.1.4.1.1.4"

    status = store_raw(start_receiver().port, encoded(a_ct()), sop_class=mr_image_storage)

    assert status == StoreStatus.DATA_SET_DOES_NOT_MATCH
    assert (count(engine, quarantine), count(engine, instances)) == (1, 0)


def test_a_system_that_is_not_on_the_list_may_ask_for_an_echo_but_not_store(start_receiver, engine, dcmtk):
    receiver = start_receiver(peers=PeerList((Peer("CT1", "127.0.0.1"),)))

    assert dcmtk("echoscu", "-aet", "STRANGER", "127.0.0.1", receiver.port).returncode == 0
    assert store_raw(receiver.port, encoded(a_ct()), ae_title="STRANGER") == StoreStatus.NOT_AUTHORISED
    assert store_raw(receiver.port, encoded(a_ct()), ae_title="CT1") == StoreStatus.SUCCESS
    assert count(engine, instances) == 1


def test_without_space_an_association_that_can_only_store_is_rejected_as_transient(start_receiver, engine, dcmtk):
    receiver = start_receiver(min_free_bytes=2**60)

    with pytest.raises(Refused, match="PDU 03H 00020301"):
        Requestor(receiver.port, CT_IMAGE_STORAGE, ExplicitVRLittleEndian)
    assert dcmtk("echoscu", "127.0.0.1", receiver.port).returncode == 0
    assert (count(engine, instances), list(receiver.spool.rglob("*.part"))) == (0, [])


def test_without_space_a_store_over_an_open_association_is_told_to_come_back(start_receiver, engine, monkeypatch):
    receiver = start_receiver(min_free_bytes=1)
    free = [2, 0, 0, 2]
    usage = lambda _folder: SimpleNamespace(free=free.pop(0) if len(free) > 1 else free[0])  # noqa: E731
    monkeypatch.setattr("dicom_gateway.spool.shutil.disk_usage", usage)

    with requestor(receiver.port, CT_IMAGE_STORAGE, ExplicitVRLittleEndian) as association:
        statuses = [association.store("2.25.11", encoded(a_ct())) for _ in range(3)]

    assert statuses == [StoreStatus.OUT_OF_RESOURCES, StoreStatus.OUT_OF_RESOURCES, StoreStatus.SUCCESS]
    assert count(engine, instances) == 1


def test_without_the_database_the_sender_is_told_to_come_back(start_receiver, engine, postgres_url):
    receiver, admin = start_receiver(), connect(postgres_url)
    name = engine.url.database

    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
        server.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.exec_driver_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        refused = store_raw(receiver.port, encoded(a_ct()))
        server.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    accepted = store_raw(receiver.port, encoded(a_ct()))

    admin.dispose()
    assert (refused, accepted) == (StoreStatus.OUT_OF_RESOURCES, StoreStatus.SUCCESS)
    assert count(engine, instances) == 1


def test_hostile_text_is_kept_and_does_no_harm(start_receiver, engine):
    hostile = a_ct()
    hostile.PatientName = "<script>alert(1)</script>"
    hostile.StudyDescription = "=HYPERLINK(1)\x00{{7*7}}"

    assert store_raw(start_receiver().port, encoded(hostile)) == StoreStatus.SUCCESS
    with engine.connect() as connection:
        header = connection.execute(select(studies.c.header)).scalar_one()
    assert header["patient_name"] == "<script>alert(1)</script>"
    assert header["study_description"] == "=HYPERLINK(1) {{7*7}}"


def test_a_private_storage_class_is_received(start_receiver, engine):
    private = a_ct()
    private.SOPClassUID = "1.2.826.0.1.3680043.9.9999.1"

    assert store_raw(start_receiver().port, encoded(private), sop_class=private.SOPClassUID) == StoreStatus.SUCCESS


def test_an_association_is_noted_until_it_is_released(start_receiver, engine):
    store_raw(start_receiver().port, encoded(a_ct()))

    with engine.connect() as connection:
        outcomes = {row.outcome for row in connection.execute(select(associations))}
    assert outcomes <= {"open", "released"}


def test_how_an_association_ended_says_whether_everything_that_it_brought_was_taken(start_receiver, engine):
    receiver, good, bad = start_receiver(), a_ct(), a_ct()
    del bad.StudyInstanceUID

    with requestor(receiver.port, CT_IMAGE_STORAGE, ExplicitVRLittleEndian) as refused:
        assert refused.store(good.SOPInstanceUID, encoded(good)) == StoreStatus.SUCCESS
        assert refused.store(bad.SOPInstanceUID, encoded(bad)) == StoreStatus.CANNOT_UNDERSTAND
    lost = Requestor(receiver.port, CT_IMAGE_STORAGE, ExplicitVRLittleEndian)
    assert lost.store(good.SOPInstanceUID, encoded(good)) == StoreStatus.SUCCESS
    lost.close()

    wait_for(lambda: outcomes(engine) == ["refused", "lost"], 20, lambda: outcomes(engine))


def outcomes(engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(associations.c.outcome).order_by(associations.c.opened_at)))


def data_set_bytes(path: str) -> bytes:
    """Return the bytes behind the file meta group of a Part 10 file."""
    with open(path, "rb") as file:
        content = file.read()
    group_length = int.from_bytes(content[140:144], "little")
    return content[144 + group_length :]


@pytest.mark.parametrize(
    ("name", "proposal"),
    [
        ("CT_small.dcm", "-xe"),
        ("MR_small_bigendian.dcm", "-xb"),
        ("JPEG2000.dcm", "-xw"),
        ("JPGExtended.dcm", "-xx"),
        ("image_dfl.dcm", "-xd"),
        ("SC_rgb_jpeg_dcmtk.dcm", "-xy"),
    ],
)
def test_storescu_sends_each_transfer_syntax_and_the_bytes_arrive_as_they_were(
    start_receiver, engine, dcmtk, name, proposal
):
    path = str(get_testdata_file(name))

    sent = dcmtk("storescu", "-R", proposal, "127.0.0.1", start_receiver().port, path)

    assert sent.returncode == 0, sent.stderr
    (kept,) = list_instances(engine)
    assert kept["sha256"] == hashlib.sha256(data_set_bytes(kept["path"])).hexdigest()
    assert dcmread(kept["path"]).PixelData == dcmread(path).PixelData


def test_implicit_little_endian_is_read(start_receiver, engine):
    entity = AE(ae_title="CT1")
    entity.add_requested_context(CT_IMAGE_STORAGE, ImplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", start_receiver().port)
    data_set = a_ct()
    data_set.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian

    status = association.send_c_store(data_set)
    association.release()

    assert status.Status == StoreStatus.SUCCESS
    assert count(engine, instances) == 1
