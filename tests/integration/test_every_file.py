"""Every DICOM file at hand, sound or broken, sent byte for byte: kept as it is, or refused as the statement says."""

import hashlib
import struct
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.data import get_testdata_files
from pydicom.errors import InvalidDicomError
from pydicom.filereader import _read_file_meta_info, read_preamble
from sqlalchemy import text

from dicom_gateway.statuses import StoreStatus
from storage.file_check import check_files
from tests.conftest import SHARED_DATA
from tests.integration.test_receiver import a_ct, encoded
from tests.pdus import CT_IMAGE_STORAGE, EXPLICIT, IMPLICIT
from tests.wire import ContextRefused, requestor

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
KEPT = {StoreStatus.SUCCESS}
APART = {StoreStatus.CANNOT_UNDERSTAND, StoreStatus.DATA_SET_DOES_NOT_MATCH}


def parts_of(path: Path) -> tuple[str, str, str, bytes]:
    """Return SOP class, instance, transfer syntax and the data set's bytes; a file that has no meta group as it is."""
    content = path.read_bytes()
    stream = BytesIO(content)
    try:
        read_preamble(stream, force=True)
        meta = _read_file_meta_info(stream)
    except (InvalidDicomError, EOFError, ValueError, NotImplementedError, struct.error):
        return CT_IMAGE_STORAGE, "1.2.3", IMPLICIT, content
    sop_class = str(meta.get("MediaStorageSOPClassUID") or CT_IMAGE_STORAGE)
    uid = str(meta.get("MediaStorageSOPInstanceUID") or "1.2.3")
    return sop_class, uid, str(meta.get("TransferSyntaxUID") or IMPLICIT), content[stream.tell() :]


def files_of(kind: str) -> list[Path]:
    if kind == "pydicom":
        return [path for path in map(Path, sorted(get_testdata_files("**/*"))) if path.is_file()]
    folder = SHARED_DATA / "dicom"
    if not folder.is_dir():
        pytest.skip("the real files are not on this machine (../shared/data/dicom)")
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["pydicom", "shared"])
def test_every_file_is_kept_byte_for_byte_or_refused_and_none_disturbs_the_next(kind, start_receiver, engine):
    receiver, paths = start_receiver(), files_of(kind)
    sound = encoded(a_ct())
    statuses: dict[Path, int] = {}
    sent: dict[Path, str] = {}

    for path in paths:
        sop_class, uid, syntax, data_set = parts_of(path)
        sent[path] = hashlib.sha256(data_set).hexdigest()
        try:
            with requestor(receiver.port, sop_class, syntax) as association:
                statuses[path] = association.store(uid, data_set)
        except ContextRefused:
            # A directory is no storage SOP class: it is refused before a byte of it is sent.
            assert sop_class == MEDIA_STORAGE_DIRECTORY, path.name
        with requestor(receiver.port, CT_IMAGE_STORAGE, EXPLICIT) as association:
            assert association.store("2.25.11", sound) == StoreStatus.SUCCESS, f"disturbed by {path.name}"

    assert len(paths) > 100
    assert set(statuses.values()) <= KEPT | APART
    with engine.connect() as connection:
        union = "SELECT sha256 FROM instances UNION SELECT sha256 FROM instance_conflicts"
        kept = set(connection.scalars(text(union)))
        apart = set(connection.scalars(text("SELECT sha256 FROM quarantine")))
    for path, status in statuses.items():
        assert sent[path] in (kept if status in KEPT else apart), path.name
    # The files that these rows name have the bytes that were sent: each SHA-256 is made again from the disk.
    found = check_files(engine, (receiver.spool / "instances", receiver.spool / "quarantine"))
    assert (found.missing, found.altered) == ([], [])
    assert sum(status in KEPT for status in statuses.values()) > len(paths) / 2
