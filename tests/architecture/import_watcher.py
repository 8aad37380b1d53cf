"""Imports the modules that standard input names, and prints what their own code did to the world meanwhile.

Run by `test_import_effects` in an interpreter of its own, since an audit hook cannot be taken away again. What a
library does while it is imported is the library's affair; only a connection to elsewhere counts against everybody.
"""

import importlib
import json
import logging
import os
import sys
import threading
from types import FrameType

WATCHED = ("socket.__new__", "socket.bind", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system",
           "os.mkdir", "os.remove", "os.rename", "os.putenv", "os.exec", "os.posix_spawn", "os.fork")  # fmt: skip
NEVER = ("socket.connect", "socket.getaddrinfo")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
PACKAGES = ("triage", "models", "inference", "dicom_gateway", "storage", "worklist", "validation", "deploy")

found: list[str] = []


def importer(frame: FrameType | None) -> str:
    """Return the module whose import executes now, or an empty string."""
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            return str(frame.f_globals.get("__name__", ""))
        frame = frame.f_back
    return ""


def reader(frame: FrameType | None) -> str:
    """Return the module that reads the environment, behind `os` and the mapping methods that it inherits.

    Libraries read variables of their own when their functions are called, pydantic for each model class.
    """
    while frame is not None and frame.f_globals.get("__name__") in ("os", "collections.abc"):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "")) if frame is not None else ""


def note(effect: str, for_everybody: bool = False) -> None:
    """Remember `effect` when one of our own modules is being imported, or anything at all where it never may be."""
    module = importer(sys._getframe(1))
    if module.split(".")[0] in PACKAGES or (for_everybody and module != "__main__"):
        found.append(f"{module}: {effect}")


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """Be told of every audited event of this interpreter."""
    if event == "open":
        path, _mode, flags = arguments
        if isinstance(flags, int) and flags & WRITING:
            note(f"open for writing {path}")
    elif event in WATCHED:
        note(event, for_everybody=event in NEVER)


class WatchedEnvironment(type(os.environ)):  # type: ignore[misc]  # a class that only exists as the type of a value
    """`os.environ`, telling who reads it."""

    def __getitem__(self, name: str) -> str:
        if reader(sys._getframe(1)).split(".")[0] in PACKAGES:
            note(f"environment read {name}")
        return super().__getitem__(name)


def main() -> None:
    """Import, watch, and print the list of effects as the last line."""
    sys.path.insert(0, sys.argv[1])
    modules = json.load(sys.stdin)
    start = threading.Thread.start

    def started(thread: threading.Thread) -> None:
        note("thread started")
        start(thread)

    threading.Thread.start = started  # type: ignore[method-assign]
    os.environ.__class__ = WatchedEnvironment
    sys.addaudithook(watch)
    for name in modules:
        importlib.import_module(name)
        if logging.getLogger().handlers:
            found.append(f"{name}: logging configured")
            logging.getLogger().handlers.clear()
        structlog = sys.modules.get("structlog")
        if structlog is not None and structlog.is_configured():
            found.append(f"{name}: structlog configured")
            structlog.reset_defaults()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
