"""What scanners and people send by mistake: each is answered honestly or kept and shown, and the next study goes on."""

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import BasicTextSRStorage

from tests.head_ct_files import write_head_ct
from tests.running import STORESCU, acuity_up, storescu, wait_for

pytestmark = [
    pytest.mark.skipif(STORESCU is None, reason="DCMTK's storescu is missing: run tests/install_peers.sh"),
    pytest.mark.timeout(300),
]
SETTINGS = "[dicom]\nport = 0\n[web]\nport = 0\n[storage]\nmin_free_gb = 0.1\n"


def changed(source: Path, target: Path, **attributes: object) -> Path:
    """Write a copy of a DICOM file as an instance of its own study, with some attributes changed or removed."""
    image = dcmread(source)
    image.StudyInstanceUID, image.SOPInstanceUID = "2.25.900", f"2.25.9{int(target.stem.encode().hex(), 16)}"
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    for keyword, value in attributes.items():
        if value is None:
            delattr(image, keyword)
        else:
            setattr(image, keyword, value)
    if "SOPClassUID" in image:
        image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.save_as(target)
    return target


def test_bad_input_is_answered_or_shown_and_stops_nothing(tmp_path):
    good = write_head_ct(tmp_path / "good", seed=5, bleed=True)
    (tmp_path / "bad").mkdir()
    truncated = tmp_path / "bad" / "truncated.dcm"
    truncated.write_bytes(good[0].read_bytes()[:-5000])
    empty = tmp_path / "bad" / "empty.dcm"
    empty.touch()
    nameless = changed(good[1], tmp_path / "bad" / "nameless.dcm", StudyInstanceUID=None)
    text = changed(
        good[2], tmp_path / "bad" / "text.dcm", SOPClassUID=BasicTextSRStorage, Modality="SR",
        PixelData=None, PatientName="<img src=x onerror=alert(1)>", StudyDescription="<b>=1+1</b>",
    )  # fmt: skip

    with acuity_up(tmp_path / "home", SETTINGS) as up:
        for file in (truncated, empty, nameless, text):
            storescu(up.dicom_port, file)
        assert storescu(up.dicom_port, *good).returncode == 0
        studies = wait_for(lambda: finished(up, 2), 60, up.studies)
        shown = up.answer("incidents")

    by_state = {one["ai_state"]: one for one in studies}
    assert by_state["analysed_flagged"]["instances"] == len(good)
    assert "modality SR, needed CT" in by_state["out_of_scope"]["reason"]
    assert [one["kind"] for one in shown] == ["quarantine"]
    assert "StudyInstanceUID" in shown[0]["reason"]
    assert "alert(1)" not in up.log.read_text()


def finished(up, count: int) -> list[dict]:
    studies = up.studies()
    return studies if len(studies) == count and all(one["ai_state"] != "pending" for one in studies) else []
