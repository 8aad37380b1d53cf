"""A multipart body in pieces of any size gives the same parts, and one that is cut off never looks whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.dicomweb.multipart import (
    LONGEST_HEADERS,
    MalformedBody,
    PartBegins,
    PartContent,
    PartEnds,
    PartReader,
    accepted_types,
    media_type_of,
)

BOUNDARY = "b0"


def a_body(parts, head=b"Content-Type: application/dicom\r\n"):
    return b"".join(b"--b0\r\n" + head + b"\r\n" + part + b"\r\n" for part in parts) + b"--b0--\r\n"


def read(body, sizes=(1 << 20,)):
    """Return the whole parts of a body that comes in pieces of `sizes`, over and over."""
    reader, parts, content, place, turn = PartReader(BOUNDARY), [], b"", 0, 0
    while place < len(body):
        size = sizes[turn % len(sizes)]
        for event in reader.feed(body[place : place + size]):
            if isinstance(event, PartBegins):
                content = b""
            elif isinstance(event, PartContent):
                content += event.content
            elif isinstance(event, PartEnds):
                parts.append(content)
        place, turn = place + size, turn + 1
    reader.finish()
    return parts


# Contents that look like boundaries without being one.
contents = st.lists(st.sampled_from([b"\r\n--b", b"\r", b"\n", b"-", b"b0", b"x", b"--b0"])).map(b"".join).filter(
    lambda content: b"\r\n--b0" not in content and not content.startswith(b"--b0")
)  # fmt: skip


@given(st.lists(contents, min_size=1, max_size=4), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_pieces_of_any_size_give_the_same_parts(parts, sizes):
    assert read(a_body(parts), sizes) == parts
    assert read(b"preamble\r\n" + a_body(parts) + b"epilogue", sizes) == parts


@given(st.lists(contents, min_size=1, max_size=3), st.data())
def test_a_body_that_is_cut_off_is_refused(parts, data):
    body = a_body(parts)
    cut = data.draw(st.integers(1, len(body) - len("--\r\n") - 1))

    with pytest.raises(MalformedBody):
        read(body[:cut])


def test_a_part_without_headers_has_no_content_type():
    reader = PartReader(BOUNDARY)

    events = list(reader.feed(b"--b0\r\n\r\nabc\r\n--b0--"))

    assert events == [PartBegins(""), PartContent(b"abc"), PartEnds()]


@pytest.mark.parametrize(
    "body",
    [b"--other\r\n\r\nx\r\n--other--", b"", b"--b0x\r\n\r\n", b"--b0\r\n" + b"A: b\r\n" * (LONGEST_HEADERS // 6 + 1)],
)
def test_what_is_no_such_body_is_refused(body):
    with pytest.raises(MalformedBody):
        read(body, (100,))


def test_media_types_are_read_with_their_parameters():
    assert media_type_of('Multipart/Related; type="application/dicom"; boundary=a;b') == (
        "multipart/related", {"type": "application/dicom", "boundary": "a", "b": ""},
    )  # fmt: skip
    assert [media for media, _ in accepted_types("text/html;q=0.1, image/png, x/y;q=0, image/*;q=0.5")] == [
        "image/png", "image/*", "text/html",
    ]  # fmt: skip
    assert accepted_types("") == [("*/*", {})]
