"""De-identified copies: nothing of the person is left in the bytes, and what cannot be cleaned is refused."""

import json
import shutil
import subprocess
from datetime import date
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, examples
from pydicom._dicom_dict import DicomDictionary
from pydicom.data import get_testdata_file, get_testdata_files
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from deploy.cli import main
from dicom_gateway.deidentification.identities import Identities, shifted
from dicom_gateway.deidentification.images import Deidentifier
from dicom_gateway.deidentification.profile import Action, Option, action_for, annex_e
from tests.conftest import SHARED_DATA
from triage.errors import CannotDeidentify, UnreadableInstance

KEY = b"a key of at least thirty-two bytes"
EVERYTHING = frozenset(Option)
UIDS = {
    "StudyInstanceUID": "1.2.826.0.1.3680043.9.11.1", "SeriesInstanceUID": "1.2.826.0.1.3680043.9.11.2",
    "SOPInstanceUID": "1.2.826.0.1.3680043.9.11.3", "FrameOfReferenceUID": "1.2.826.0.1.3680043.9.11.4",
}  # fmt: skip
DATES = ("20250117", "20241231", "19610402")
SECRETS = (
    "Featherstone", "Wilhelmina", "MRN0047119", "ACC-99871", "Oakhurst", "Drumgoole", "4 Elm Close", "Pemberton",
    "the patient fell", "Quigley", "SN-5511-X", "SCANNER7",
)  # fmt: skip


@pytest.fixture
def image() -> Dataset:
    """A CT image with something of a person in every kind of place."""
    image = dcmread(examples.get_path("ct"))
    for name, uid in UIDS.items():
        setattr(image, name, uid)
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.file_meta.SourceApplicationEntityTitle = "SCANNER7"
    image.preamble = b"Featherstone".ljust(128, b"\0")
    image.PatientName, image.PatientID, image.PatientBirthDate = "Featherstone^Wilhelmina", "MRN0047119", DATES[2]
    image.PatientAge, image.PatientWeight, image.EthnicGroup = "063Y", "61", "Celtic"
    image.AccessionNumber, image.InstitutionName = "ACC-99871", "Oakhurst General"
    image.ReferringPhysicianName, image.PatientAddress = "Drumgoole^Art", "4 Elm Close"
    image.StudyDate = image.SeriesDate = image.AcquisitionDate = image.ContentDate = DATES[0]
    image.AcquisitionDateTime = f"{DATES[0]}101112.5"
    image.StudyDescription = "CT HEAD WITHOUT contrast for Wilhelmina Featherstone 04711"
    image.AdditionalPatientHistory = "the patient fell"
    image.ImageComments = "seen by Quigley"
    image.DeviceSerialNumber, image.StationName = "SN-5511-X", "SCANNER7"
    # A place that the table does not name, and that is text all the same.
    image.ContrastBolusRoute = "given to Featherstone"
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, "1.2.826.0.1.3680043.9.11.77"
    image.ReferencedImageSequence = Sequence([item])
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepDescription = "MRN0047119", "Pemberton protocol"
    request.RequestingPhysician = "Quigley^Q"
    image.RequestAttributesSequence = Sequence([request])
    private = image.private_block(0x0019, "GEMS_ACQU_01", create=True)
    private.add_new(0x23, "DS", "12.5")
    private.add_new(0x99, "LO", "Featherstone")
    nested = Dataset()
    nested.PatientName = "Featherstone^W"
    image.private_block(0x0045, "ODD VENDOR", create=True).add_new(0x01, "SQ", Sequence([nested]))
    image.add_new(Tag(0x6000, 0x3000), "OW", b"Featherstone")
    image.add_new(Tag(0x0008, 0xEEEE), "LO", "Pemberton")
    return image


def written(image: Dataset, path: Path) -> Path:
    image.save_as(path, enforce_file_format=True)
    return path


def cleaned(path: Path, options: frozenset[Option] = frozenset(), key: bytes = KEY) -> Dataset:
    return Deidentifier(Identities(key), options).clean(path, {})


def bytes_of(image: Dataset) -> bytes:
    buffer = BytesIO()
    syntax = image.file_meta.TransferSyntaxUID
    little, implicit = syntax.is_little_endian, syntax.is_implicit_VR
    image.save_as(buffer, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.parametrize("options", [frozenset(), EVERYTHING, *(frozenset({one}) for one in Option)])
def test_nothing_of_the_person_is_left_in_the_bytes(options, image, tmp_path):
    path = written(image, tmp_path / "in.dcm")
    assert all(secret.encode() in path.read_bytes() for secret in SECRETS)

    content = bytes_of(cleaned(path, options))

    kept = {"SN-5511-X", "SCANNER7"} if Option.DEVICE in options else set()
    left = {secret for secret in SECRETS if secret.lower().encode() in content.lower()}
    assert left == kept
    assert [uid for uid in (*UIDS.values(), "1.2.826.0.1.3680043.9.11.77") if uid.encode() in content] == []
    assert [day for day in DATES if day.encode() in content] == []


def test_the_basic_profile_marks_the_image_and_keeps_it_an_image(image, tmp_path):
    out = cleaned(written(image, tmp_path / "in.dcm"))

    assert (out.PatientIdentityRemoved, out.LongitudinalTemporalInformationModified) == ("YES", "REMOVED")
    assert [one.CodeValue for one in out.DeidentificationMethodCodeSequence] == ["113100"]
    assert str(out.PatientName) == out.PatientID
    assert out.PatientID.startswith("ANON")
    assert (out.StudyDate, out.PatientBirthDate, out.get("PatientAge")) == (None, None, None)
    assert "StudyDate" in out
    assert (out.pixel_array == image.pixel_array).all()
    assert out.ReferencedImageSequence[0].ReferencedSOPClassUID == image.SOPClassUID
    assert [tag for tag in out if tag.tag.is_private] == []


def test_every_option_keeps_what_it_names_and_nothing_else(image, tmp_path):
    out = cleaned(written(image, tmp_path / "in.dcm"), EVERYTHING)

    days = Identities(KEY).days_back("MRN0047119", "")
    moved = date(2025, 1, 17).toordinal() - days
    assert out.StudyDate == date.fromordinal(moved).strftime("%Y%m%d")
    assert out.AcquisitionDateTime == f"{out.StudyDate}101112.5"
    assert (out.PatientAge, float(out.PatientWeight), out.PatientBirthDate) == ("063Y", 61, None)
    assert (out.DeviceSerialNumber, out.StationName) == ("SN-5511-X", "SCANNER7")
    assert out.StudyDescription == "CT HEAD WITHOUT CONTRAST"
    assert out.private_block(0x0019, "GEMS_ACQU_01")[0x23].value == 12.5
    assert 0x99 not in out.private_block(0x0019, "GEMS_ACQU_01")
    assert out.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = {one.CodeValue for one in out.DeidentificationMethodCodeSequence}
    assert codes == {"113100", "113105", "113107", "113108", "113109", "113111"}


def test_the_same_patient_maps_the_same_in_two_runs_and_otherwise_under_another_key(image, tmp_path):
    path = written(image, tmp_path / "in.dcm")
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.9.11.5"
    other = written(image, tmp_path / "other.dcm")
    options = frozenset({Option.DATES})

    first, again, second = cleaned(path, options), cleaned(path, options), cleaned(other, options)
    elsewhere = cleaned(path, options, b"another key of at least 32 bytes!!!")

    assert bytes_of(first) == bytes_of(again)
    same = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "StudyDate")
    assert [first[name].value for name in same] == [second[name].value for name in same]
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert elsewhere.PatientID != first.PatientID
    assert elsewhere.StudyInstanceUID != first.StudyInstanceUID
    assert all(one.startswith("2.25.") and len(one) <= 64 for one in (first.StudyInstanceUID, first.SOPInstanceUID))


def ultrasound(regions: list[tuple[int, int, int, int]], declared: str = "") -> Dataset:
    image = dcmread(examples.get_path("rgb_color"))
    image.BurnedInAnnotation = declared or None
    items = []
    for corners in regions:
        item = Dataset()
        names = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
        for name, value in zip(names, corners, strict=True):
            setattr(item, name, value)
        items.append(item)
    image.SequenceOfUltrasoundRegions = Sequence(items)
    return image


def test_ultrasound_is_kept_inside_its_regions_alone(tmp_path):
    image = ultrasound([(100, 60, 219, 179), (10, 200, 19, 209)])
    before = image.pixel_array.copy()
    inside = np.zeros(before.shape[:2], dtype=bool)
    inside[60:180, 100:220] = inside[200:210, 10:20] = True

    out = cleaned(written(image, tmp_path / "us.dcm"))

    assert before[~inside].any()
    assert not out.pixel_array[~inside].any()
    assert (out.pixel_array[inside] == before[inside]).all()
    assert out.BurnedInAnnotation == "NO"
    assert "113101" in {one.CodeValue for one in out.DeidentificationMethodCodeSequence}


def test_a_known_device_loses_the_area_that_it_writes_into(image, tmp_path):
    size = 512
    image.Manufacturer, image.SeriesDescription, image.Rows, image.Columns = (
        "GE MEDICAL SYSTEMS",
        "Dose Report",
        size,
        size,
    )
    image.PixelData = np.full((size, size), 77, dtype="<i2").tobytes()
    image.BurnedInAnnotation = "YES"

    out = cleaned(written(image, tmp_path / "dose.dcm"))

    assert not out.pixel_array[:110].any()
    assert (out.pixel_array[110:] == 77).all()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: ultrasound([]), "modality US may have text"),
        (lambda: ultrasound([], "YES"), "Burned In Annotation is YES"),
        (lambda: dcmread(get_testdata_file("test-SR.dcm")), "its content cannot be cleaned"),
        (lambda: dcmread(get_testdata_file("waveform_ecg.dcm")), "its content cannot be cleaned"),
    ],
)
def test_what_cannot_be_cleaned_is_refused_with_the_reason(make, reason, tmp_path):
    path = written(make(), tmp_path / "in.dcm")

    with pytest.raises(CannotDeidentify, match=reason):
        cleaned(path)


def test_a_screen_save_and_a_burned_in_image_are_refused(image, tmp_path):
    image.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    with pytest.raises(CannotDeidentify, match="SCREEN SAVE"):
        cleaned(written(image, tmp_path / "a.dcm"))
    image.BurnedInAnnotation = "YES"
    with pytest.raises(CannotDeidentify, match="Burned In Annotation is YES"):
        cleaned(written(image, tmp_path / "b.dcm"))


def test_a_name_that_hides_in_numbers_is_found_at_the_end(image, tmp_path):
    image.add_new(Tag(0x0028, 0x3006), "OW", b"Featherstone")

    with pytest.raises(CannotDeidentify, match=r"still found in"):
        cleaned(written(image, tmp_path / "in.dcm"))


def test_a_name_in_a_comment_of_a_compressed_frame_is_found(tmp_path):
    image = dcmread(get_testdata_file("JPEG-lossy.dcm"))
    image.PatientName, image.BurnedInAnnotation = "Featherstone^Wilhelmina", "NO"
    start = image.PixelData.index(b"\xff\xd8") + 2
    comment = b"\xff\xfe\x00\x0eFeatherstone"
    image.PixelData = image.PixelData[:start] + comment + image.PixelData[start:]

    with pytest.raises(CannotDeidentify, match="a name or an identifier"):
        cleaned(written(image, tmp_path / "in.dcm"))


@pytest.mark.timeout(240)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", [frozenset(), EVERYTHING])
def test_every_file_at_hand_is_cleaned_or_refused_with_a_reason(options):
    shared = SHARED_DATA / "dicom"
    paths = [*map(Path, get_testdata_files("**/*")), *(shared.rglob("*") if shared.is_dir() else ())]
    deidentifier = Deidentifier(Identities(KEY), options)
    done, refused = 0, []

    for path in [one for one in paths if one.is_file()]:
        try:
            out = deidentifier.clean(path, {})
        except (CannotDeidentify, UnreadableInstance) as error:
            refused.append(str(error))
            continue
        done += 1
        original = dcmread(path)
        content = bytes_of(out)
        uids = (original.StudyInstanceUID, original.SeriesInstanceUID, original.SOPInstanceUID)
        assert [uid for uid in uids if uid.encode() in content] == [], path.name

    assert done > 100
    # What is searched for at the end is a last line: no file at hand needs it.
    assert [one for one in refused if "still found" in one] == []


def test_the_command_writes_studies_with_reports_and_says_what_it_refused(image, tmp_path, capsys):
    source, out, key = tmp_path / "in", tmp_path / "out", tmp_path / "key"
    source.mkdir()
    key.write_bytes(KEY)
    written(image, source / "Featherstone.dcm")
    (source / "notes.txt").write_text("no image")

    code = main(["deidentify", str(source), str(out), "--key-file", str(key), "--retain", "dates", "--json"])

    answer = json.loads(capsys.readouterr().out)
    assert (code, answer["images"], [one["reason"] for one in answer["refused"]]) == (
        1,
        1,
        ["cannot be read: no DICOM file"],
    )
    (study,) = out.iterdir()
    report = json.loads((study / "report.json").read_text())
    actions = {one["keyword"]: one["action"] for one in report["attributes"]}
    assert (actions["PatientName"], actions["StudyDate"]) == ("pseudonym", "date shifted")
    assert (actions["AdditionalPatientHistory"], actions["StudyInstanceUID"]) == ("removed", "uid mapped")
    everything = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert [secret for secret in SECRETS if secret.lower().encode() in everything.lower()] == []
    assert main(["deidentify", str(source), str(out), "--key-file", str(key)]) == 2
    assert main(["deidentify", str(source), str(tmp_path / "x"), "--key-file", str(key), "--retain", "all"]) == 2
    assert not (tmp_path / "x").exists()


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is missing: run tests/install_peers.sh")
@pytest.mark.parametrize("options", [frozenset(), EVERYTHING])
@pytest.mark.parametrize("example", ["ct", "mr"])
def test_the_result_has_no_fault_that_the_original_had_not(example, options, tmp_path):
    original = Path(examples.get_path(example))
    out = cleaned(original, options)
    out.save_as(tmp_path / "out.dcm", enforce_file_format=True)

    assert faults(tmp_path / "out.dcm") <= faults(original)


def faults(path: Path) -> set[str]:
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, timeout=60, check=False)
    return {line for line in done.stderr.splitlines() if line.startswith("Error")}


def test_a_file_that_is_no_image_is_unreadable(tmp_path):
    (tmp_path / "x").write_bytes(b"DICM")

    with pytest.raises(UnreadableInstance):
        cleaned(tmp_path / "x")


def test_the_table_has_every_row_and_only_known_actions():
    table = annex_e()

    assert len(table) == 652
    assert {row.action for row in table.values()} == {"X", "Z", "D", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"}
    by_keyword = {keyword_for_tag(tag): row.action for tag, row in table.items()}
    # Rows that a reader can look up in the standard.
    assert by_keyword["AccessionNumber"] == "Z"
    assert by_keyword["AcquisitionDateTime"] == "X/Z/D"
    assert by_keyword["PatientAddress"] == "X"
    assert by_keyword["ContentCreatorName"] == "Z/D"
    assert by_keyword["ReferencedImageSequence"] == "X/Z/U*"
    assert by_keyword["ConcatenationUID"] == "U"


def test_an_option_letter_stands_only_where_its_action_fits():
    entries = {tag: entry[0] for tag, entry in DicomDictionary.items()}
    by_letter = {
        letter: {entries[tag] for tag, row in annex_e().items() if letter in row.options and tag in entries}
        for letter in "IPLT"
    }

    assert by_letter["L"] == {"DA", "DT", "TM"}
    assert by_letter["T"] == {"SH", "LO", "LT", "ST", "UT"}
    assert not (by_letter["I"] | by_letter["P"]) & {"AE", "PN", "DA", "DT", "TM"}
    by_keyword = {keyword_for_tag(tag): row.options for tag, row in annex_e().items()}
    # The standard keeps these, or says to clean them with the option, or never lets them stay.
    assert [by_keyword[one] for one in ("LensModel", "EthnicGroupCodeSequence", "ImageComments")] == ["I", "P", "T"]
    assert [by_keyword[one] for one in ("ScheduledStationAETitle", "GPSTimeStamp", "PatientBirthDate")] == ["", "", ""]


def test_a_description_that_an_object_needs_is_never_left_empty(image, tmp_path):
    image.ProtocolName, image.ImageComments = "Quigley", "Quigley"
    out = cleaned(written(image, tmp_path / "in.dcm"), frozenset({Option.DESCRIPTORS}))

    assert (out.ProtocolName, out.ImageComments) == ("REMOVED", "")


@pytest.mark.parametrize("vr", ["PN", "DA", "DT", "TM", "AE", "UR", "LT", "ST", "UT", "UC", "UI"])
def test_no_attribute_of_the_dictionary_that_may_tell_something_is_kept_unseen(vr):
    kept = {
        entry[4] for tag, entry in DicomDictionary.items()
        if entry[0].split(" ")[0] == vr and action_for(Tag(tag), vr, frozenset()) is Action.KEEP
    }  # fmt: skip

    classes = {name for name in kept if name.endswith(("ClassUID", "TransferSyntaxUID"))}
    definitions = {
        "CodingSchemeUID", "ContextUID", "MappingResourceUID", "ContextGroupExtensionCreatorUID",
        "SOPClassesInStudy", "SOPClassesSupported", "PertinentSOPClassesInStudy", "PertinentSOPClassesInSeries",
    }  # fmt: skip
    assert kept - classes <= {"UI": definitions, "UC": {"LongCodeValue"}}.get(vr, set())


@pytest.mark.parametrize(
    ("value", "vr", "expected"),
    [("20250301", "DA", "20250228"), ("20240301120000+0100", "DT", "20240229120000+0100"), ("1200", "TM", "1200"),
     ("2025", "DA", ""), ("20251341", "DA", ""), ("00010101", "DA", "")],
)  # fmt: skip
def test_a_date_goes_back_by_whole_days(value, vr, expected):
    assert shifted(value, vr, 1) == expected


def test_everybody_s_dates_go_back_by_one_day_to_ten_years():
    shifts = {Identities(KEY).days_back(f"patient {number}", "") for number in range(500)}

    assert 1 <= min(shifts) <= max(shifts) <= 3650
    assert len(shifts) > 400
