"""The header walk finds what pydicom finds, and stops at what no data set can be."""

import re
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_gateway.elements import DEEPEST, Encoding, top_level_elements, wanted_elements
from dicom_gateway.headers import LONGEST_INFLATED_BYTES, read_instance
from triage.errors import UnreadableInstance

ENCODINGS = [Encoding(implicit, little) for implicit, little in ((True, True), (False, True), (False, False))]


def a_data_set() -> Dataset:
    """Return a data set with nested sequences, an empty one, and elements of every length format."""
    data_set = Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = "1.2.3", "1.2.4"
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = "1.2.5", "1.2.6"
    data_set.PatientName = "DOE^JANE"
    data_set.Rows = 300
    request, code = Dataset(), Dataset()
    code.CodeValue = "1"
    request.RequestedProcedurePriority = "STAT"
    request.RequestedProcedureCodeSequence = [code]
    data_set.RequestAttributesSequence = [request]
    data_set.ReferencedStudySequence = []
    data_set.PixelData = bytes(100)
    data_set["PixelData"].VR = "OW"
    return data_set


def encoded(data_set: Dataset, encoding: Encoding, undefined_lengths: bool = False) -> bytes:
    for element in data_set.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = undefined_lengths
            for item in element.value:
                item.is_undefined_length_sequence_item = undefined_lengths
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = encoding.is_implicit, encoding.is_little_endian
    write_dataset(stream, data_set)
    return stream.getvalue()


@pytest.mark.parametrize("undefined_lengths", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_element_is_found_where_it_stands(encoding, undefined_lengths):
    content = b"meta" + encoded(a_data_set(), encoding, undefined_lengths)

    found = {one.tag: one for one in top_level_elements(content, 4, encoding)}

    assert set(found) == {int(tag) for tag in a_data_set().keys()}
    assert content[found[0x0020000D].start : found[0x0020000D].end] == b"1.2.5\0"
    assert found[0x7FE00010].end == len(content)


@pytest.mark.parametrize("undefined_lengths", [False, True])
def test_the_priority_inside_the_request_is_read(undefined_lengths):
    content = encoded(a_data_set(), ENCODINGS[1], undefined_lengths)

    header = read_instance(content, ExplicitVRLittleEndian)

    assert header.study.order_priority == "STAT"
    assert header.study.patient_name == "DOE^JANE"
    assert header.image.rows == 300


def test_what_drift_is_looked_for_in_is_read():
    data_set = a_data_set()
    data_set.SoftwareVersions, data_set.Exposure = ["VA20", "SP1"], "250"

    header = read_instance(encoded(data_set, ENCODINGS[1]), ExplicitVRLittleEndian)

    assert (header.series.software_versions, header.image.exposure_mas) == ("VA20\\SP1", 250.0)


@pytest.mark.parametrize(
    ("acquired", "in_series", "announced"),
    [(None, None, None), (34, None, 34), (None, 40, 40), (34, 40, 40), (0, None, None)],
)
def test_how_many_images_belong_together_is_what_the_scanner_or_an_archive_wrote(acquired, in_series, announced):
    data_set = a_data_set()
    if acquired is not None:
        data_set.ImagesInAcquisition = acquired
    if in_series is not None:
        data_set.NumberOfSeriesRelatedInstances = in_series

    header = read_instance(encoded(data_set, ENCODINGS[1]), ExplicitVRLittleEndian)

    assert header.image.announced_images == announced


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Äneas^Rüdiger"),
        ("ISO_IR 144", "Люкceмбypг"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    ],
)
@pytest.mark.parametrize("encoding", ENCODINGS[:2])
def test_names_in_other_alphabets_are_read(character_set, name, encoding):
    data_set = a_data_set()
    data_set.SpecificCharacterSet, data_set.PatientName = character_set, name
    syntax = ImplicitVRLittleEndian if encoding.is_implicit else ExplicitVRLittleEndian

    assert read_instance(encoded(data_set, encoding), syntax).study.patient_name == name


@settings(max_examples=300)
@given(st.data())
def test_a_cut_data_set_is_never_taken_for_a_whole_one(data):
    encoding = data.draw(st.sampled_from(ENCODINGS))
    whole = encoded(a_data_set(), encoding, data.draw(st.booleans()))
    length = data.draw(st.integers(1, len(whole) - 1))
    ends = {one.end for one in top_level_elements(whole, 0, encoding)}

    try:
        found = list(top_level_elements(whole[:length], 0, encoding))
    except UnreadableInstance:
        return

    # What is left of the next element is nothing, or too little of it to tell from padding.
    assert not found or found[-1].end in ends
    rest = whole[found[-1].end if found else 0 : length]
    assert not any(rest.removeprefix(b"\xfe\xff\xdd\xe0").removeprefix(b"\xff\xfe\xe0\xdd"))


@given(st.binary(max_size=400), st.sampled_from(ENCODINGS))
def test_any_bytes_are_elements_or_unreadable(content, encoding):
    try:
        for element in top_level_elements(content, 0, encoding):
            assert 0 <= element.start <= element.end <= len(content)
    except UnreadableInstance:
        pass


@given(st.data(), st.sampled_from(ENCODINGS), st.booleans())
def test_the_wanted_elements_are_those_that_the_walk_finds_in_damaged_data_sets_too(data, encoding, undefined_lengths):
    content = bytearray(encoded(a_data_set(), encoding, undefined_lengths))
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)))])
    wanted = {0x00080016, 0x00100010, 0x00400275, 0x7FE00010}

    try:
        found = {one.tag: one for one in top_level_elements(content, 0, encoding)}
    except UnreadableInstance as error:
        with pytest.raises(UnreadableInstance, match=f"^{re.escape(str(error))}$"):
            wanted_elements(content, 0, encoding, wanted)
        return

    if found:
        assert wanted_elements(content, 0, encoding, wanted) == {tag: found[tag] for tag in wanted & found.keys()}
    else:
        with pytest.raises(UnreadableInstance, match="no element in it"):
            wanted_elements(content, 0, encoding, wanted)


def test_study_and_series_are_read_anew_where_an_image_says_something_else_of_them():
    first, second = a_data_set(), a_data_set()
    first.SpecificCharacterSet = second.SpecificCharacterSet = "ISO_IR 100"
    second.PatientName, second.SeriesDescription, second.SOPInstanceUID = "MÜLLER^JÖRG", "late", "1.2.44"
    second.RequestAttributesSequence[0].RequestedProcedurePriority = "LOW"
    contents = [encoded(one, ENCODINGS[1]) for one in (first, second)]

    headers = [read_instance(contents[number], ExplicitVRLittleEndian) for number in (0, 1, 0)]

    told = [(one.study.patient_name, one.study.order_priority, one.series.series_description) for one in headers]
    assert told == [("DOE^JANE", "STAT", ""), ("MÜLLER^JÖRG", "LOW", "late"), ("DOE^JANE", "STAT", "")]
    assert [one.image.sop_instance_uid for one in headers] == ["1.2.4", "1.2.44", "1.2.4"]


def test_sequences_nested_without_end_are_refused():
    opening = struct.pack("<HHL", 0x0008, 0x1140, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)

    with pytest.raises(UnreadableInstance, match=f"nested more than {DEEPEST} deep"):
        list(top_level_elements(opening * 100_000, 0, ENCODINGS[0]))


def test_a_deflated_bomb_is_refused_before_it_has_grown():
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = b"".join(deflater.compress(bytes(1 << 20)) for _ in range((LONGEST_INFLATED_BYTES >> 20) + 20))
    bomb += deflater.flush()
    tracemalloc.start()

    with pytest.raises(UnreadableInstance, match="inflates to more than"):
        read_instance(bomb, DeflatedExplicitVRLittleEndian)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * LONGEST_INFLATED_BYTES + len(bomb)


def test_zeros_after_the_last_element_are_padding():
    content = encoded(a_data_set(), ENCODINGS[1])

    assert read_instance(content + bytes(5), ExplicitVRLittleEndian) == read_instance(content, ExplicitVRLittleEndian)
