"""multipart/related in pieces, in and out: no body is ever whole in memory (RFC 2046 section 5.1, RFC 2387)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

LONGEST_HEADERS = 16384


class MalformedBody(Exception):
    """The bytes are not the multipart body that their content type announces."""


@dataclass(frozen=True, slots=True)
class PartBegins:
    """A part with this content type begins."""

    content_type: str


@dataclass(frozen=True, slots=True)
class PartContent:
    """The next bytes of the part."""

    content: bytes


@dataclass(frozen=True, slots=True)
class PartEnds:
    """The part is whole."""


class _State(Enum):
    BEFORE_FIRST = 1
    AFTER_BOUNDARY = 2
    HEADERS = 3
    CONTENT = 4
    END = 5


class PartReader:
    """Takes a body in pieces of any size and tells its parts; keeps no more than a piece and a boundary."""

    def __init__(self, boundary: str) -> None:
        self._delimiter = b"\r\n--" + boundary.encode("latin-1")
        # The first boundary may stand at the very beginning, without the line end that belongs to every other.
        self._rest = b"\r\n"
        self._state = _State.BEFORE_FIRST

    def feed(self, piece: bytes) -> Iterator[PartBegins | PartContent | PartEnds]:
        """Yield what `piece` adds; raises MalformedBody."""
        self._rest += piece
        while (step := self._step()) is not None:
            yield from step

    def finish(self) -> None:
        """Raise MalformedBody unless the closing boundary has come."""
        if self._state is _State.BEFORE_FIRST:
            raise MalformedBody("the boundary of the content type is not in the body")
        if self._state is not _State.END:
            raise MalformedBody("the body ends before its closing boundary")

    def _step(self) -> tuple[PartBegins | PartContent | PartEnds, ...] | None:
        """Do the next thing that the bytes at hand allow; None when more are needed."""
        if self._state in (_State.BEFORE_FIRST, _State.CONTENT):
            return self._to_boundary()
        if self._state is _State.AFTER_BOUNDARY:
            return self._behind_boundary()
        if self._state is _State.HEADERS:
            return self._headers()
        self._rest = b""
        return None

    def _to_boundary(self) -> tuple[PartContent | PartEnds, ...] | None:
        place = self._rest.find(self._delimiter)
        in_part = self._state is _State.CONTENT
        if place < 0:
            safe = len(self._rest) - len(self._delimiter) + 1
            if safe <= 0:
                return None
            content, self._rest = self._rest[:safe], self._rest[safe:]
            return (PartContent(content),) if in_part else ()
        content, self._rest = self._rest[:place], self._rest[place + len(self._delimiter) :]
        self._state = _State.AFTER_BOUNDARY
        if not in_part:
            return ()
        return (PartContent(content), PartEnds()) if content else (PartEnds(),)

    def _behind_boundary(self) -> tuple[()] | None:
        if len(self._rest) < 2:
            return None
        if self._rest.startswith(b"--"):
            self._state = _State.END
            return ()
        if not self._rest.startswith(b"\r\n"):
            raise MalformedBody("something else than a line end follows a boundary")
        self._state = _State.HEADERS
        return ()

    def _headers(self) -> tuple[PartBegins] | None:
        # The line end of the boundary is still there, so that a part without headers looks like any other.
        end = self._rest.find(b"\r\n\r\n")
        if end < 0:
            if len(self._rest) > LONGEST_HEADERS:
                raise MalformedBody(f"the headers of a part are longer than {LONGEST_HEADERS} bytes")
            return None
        lines = self._rest[:end].decode("latin-1").split("\r\n")
        self._rest = self._rest[end + 4 :]
        self._state = _State.CONTENT
        found = (line.partition(":")[2].strip() for line in lines if line.lower().startswith("content-type:"))
        return (PartBegins(next(found, "")),)


def media_type_of(header: str) -> tuple[str, dict[str, str]]:
    """Return the media type of a header in lower case, and its parameters."""
    media, named, _ = _range(header)
    return media, named


def accepted_types(header: str) -> list[tuple[str, dict[str, str]]]:
    """Return the media ranges of an Accept header, wanted most first; none given accepts everything."""
    ranges = re.findall(r'(?:[^,"]|"[^"]*")+', header) or ["*/*"]
    read = [_range(one.strip()) for one in ranges]
    return [(media, named) for media, named, weight in sorted(read, key=lambda one: -one[2]) if weight > 0]


def _range(text: str) -> tuple[str, dict[str, str], float]:
    media, *rest = re.findall(r'(?:[^;"]|"[^"]*")+', text) or [""]
    named = {}
    for parameter in rest:
        name, _, value = parameter.strip().partition("=")
        named[name.lower()] = value.strip().strip('"')
    try:
        weight = float(named.pop("q", "1"))
    except ValueError:
        weight = 0.0
    return media.strip().lower(), named, weight
