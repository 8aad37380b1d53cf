"""What rules compare: every attribute of a file as text, also of files that break the rules."""

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from dicom_gateway.attribute_values import attribute_values
from triage.errors import UnreadableInstance


def written(folder, dataset):
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "2.25.1"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(folder / "image.dcm", enforce_file_format=True)
    return folder / "image.dcm"


def nested(sequence, inner):
    outer = Dataset()
    setattr(outer, sequence, Sequence([inner]))
    return outer


def test_values_are_texts_by_tag_and_what_is_empty_is_left_out(tmp_path):
    dataset = Dataset()
    dataset.PatientName, dataset.ImageType, dataset.KVP, dataset.StudyID = (
        "Doe^Jane",
        ["ORIGINAL", "PRIMARY"],
        "120",
        "",
    )
    dataset.RequestAttributesSequence = Sequence([Dataset()])
    dataset.private_block(0x0009, "ACME", create=True).add_new(0x01, "LO", "thin")

    values = attribute_values(written(tmp_path, dataset))

    assert values["00100010"] == ("Doe^Jane",)
    assert values["00080008"] == ("ORIGINAL", "PRIMARY")
    assert float(values["00180060"][0]) == 120
    assert (values["00400275"], values["00091001"]) == ((), ("thin",))
    assert "00200010" not in values


def test_the_geometry_of_a_multi_frame_object_is_that_of_its_first_frame(tmp_path):
    measures, plane = Dataset(), Dataset()
    measures.SliceThickness, plane.ImageOrientationPatient = "2.5", [1, 0, 0, 0, 1, 0]
    dataset = Dataset()
    dataset.SharedFunctionalGroupsSequence = Sequence([nested("PixelMeasuresSequence", measures)])
    dataset.PerFrameFunctionalGroupsSequence = Sequence([nested("PlaneOrientationSequence", plane)])

    values = attribute_values(written(tmp_path, dataset))

    assert float(values["00180050"][0]) == 2.5
    assert [float(one) for one in values["00200037"]] == [1, 0, 0, 0, 1, 0]


def test_an_attribute_that_breaks_its_vr_hides_no_other(tmp_path):
    dataset = Dataset()
    dataset.PatientID = "P1"
    file = written(tmp_path, dataset)
    file.write_bytes(file.read_bytes() + b"\x28\x00\x10\x00US\x03\x00abc")

    assert attribute_values(file)["00100020"] == ("P1",)


@pytest.mark.parametrize("content", [b"", b"no DICOM at all" * 20])
def test_a_file_that_is_no_dicom_file_is_told(tmp_path, content):
    (tmp_path / "image.dcm").write_bytes(content)

    with pytest.raises(UnreadableInstance):
        attribute_values(tmp_path / "image.dcm")
