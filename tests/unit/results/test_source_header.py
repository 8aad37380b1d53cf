"""Patient and study come over from the images in any character set, and nothing invalid comes with them."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from dicom_gateway.results.source_header import REQUIRED, read_source_header
from triage.errors import UnreadableInstance
from triage.identifiers import SopInstanceUid
from triage.study import Series


def header_of(series: Series) -> Mapping[str, str]:
    return read_source_header(series.files[0].path, series.images[0].sop_instance_uid).values


@pytest.mark.parametrize(
    ("character_set", "encoded", "name"),
    [
        (b"", b"Doe^Jane", "Doe^Jane"),
        (b"ISO_IR 100", "Müller^Jürgen".encode("latin-1"), "Müller^Jürgen"),
        (b"ISO_IR 144", "Люкceмбypг".encode("iso8859-5"), "Люкceмбypг"),
        (b"ISO_IR 192", "王^小東".encode(), "王^小東"),
        (b"GB18030", "王^小东".encode("gb18030"), "王^小东"),
        # PS3.5 annex H.3.1: Yamada Tarou, with escape sequences between ASCII and JIS X 0208.
        (
            b"\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        # PS3.5 annex I.2: Hong Gildong, KS X 1001 by escape sequence.
        (
            b"\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
    ],
)
def test_names_are_read_in_the_character_set_of_the_images(
    sources, character_set: bytes, encoded: bytes, name: str
) -> None:
    series = sources.series_of_bytes("CT", 1, 1, {"PatientName": encoded}, character_set)

    assert header_of(series)["PatientName"] == name


def test_bytes_outside_the_stated_character_set_lose_a_letter_and_not_the_report(sources) -> None:
    series = sources.series_of_bytes("CT", 1, 1, {"PatientName": b"M\xfcller^J"}, b"ISO_IR 192")

    with pytest.warns(UserWarning, match="replacement characters") as caught:
        header = header_of(series)

    assert header["PatientName"] == "M\ufffdller^J"
    assert all("ller" not in str(warning.message) for warning in caught)


def test_what_the_scanner_did_not_write_is_empty_and_present(sources) -> None:
    series = sources.series_of_bytes("CT", 1, 1, {}, b"ISO_IR 100")

    assert header_of(series) == dict.fromkeys(REQUIRED, "")


@pytest.mark.parametrize(
    ("keyword", "value", "taken"),
    [
        ("PatientBirthDate", "19500203", "19500203"),
        ("PatientBirthDate", "1950.02.03", "19500203"),
        ("PatientBirthDate", "19500231", ""),
        ("PatientBirthDate", "unknown", ""),
        ("PatientBirthDate", "1950+2+3", ""),
        ("PatientSex", "F", "F"),
        ("PatientSex", "female", ""),
        ("StudyTime", "221500.123", "221500.123"),
        ("StudyTime", "25:00", ""),
        ("AccessionNumber", "longer than the sixteen of SH", "longer than the sixteen of SH"),
        ("PatientID", "a\x00b\x07c", "abc"),
    ],
)
def test_a_value_that_breaks_its_vr_is_left_out_and_identifiers_are_kept(
    sources, keyword: str, value: str, taken: str
) -> None:
    assert header_of(sources.series(header={keyword: value}))[keyword] == taken


def test_an_age_that_is_no_age_is_left_out(sources) -> None:
    assert "PatientAge" not in header_of(sources.series(header={"PatientAge": "76 years"}))


def test_copying_odd_identifiers_says_nothing_about_the_patient_in_a_warning(sources) -> None:
    series = sources.series(header={"PatientID": "X" * 80, "AccessionNumber": "Y" * 40})
    report = Dataset()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_source_header(series.files[0].path, series.images[0].sop_instance_uid).copy_to(report)

    assert report.PatientID == "X" * 80
    assert not caught


@pytest.mark.parametrize("content", [None, b"", b"not DICOM at all"])
def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "image.dcm"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(UnreadableInstance, match=r"instance 1\.2\.3: \w+ on reading its file, DICOM needed"):
        read_source_header(str(path), SopInstanceUid("1.2.3"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=64), st.sampled_from([b"", b"ISO_IR 100", b"ISO_IR 192", b"\\ISO 2022 IR 87", b"GB18030"]))
def test_no_bytes_in_a_name_stop_the_report(sources, raw: bytes, character_set: bytes) -> None:
    series = sources.series_of_bytes("CT", 1, 1, {"PatientName": raw, "PatientBirthDate": raw}, character_set)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = header_of(series)

    assert header["PatientName"].isprintable()
    assert header["PatientBirthDate"] == "" or header["PatientBirthDate"].isdigit()
