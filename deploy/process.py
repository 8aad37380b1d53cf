"""What every process of the platform begins with: settings, log, database, and the signal to stop."""

import argparse
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deploy.log_setup import set_up_logging
from deploy.opened import opened_database
from deploy.settings import Settings, read_settings


@dataclass(frozen=True, slots=True)
class Process:
    """The settings of this process, the database that it works on, and the event that ends it."""

    settings: Settings
    database_url: str
    stop: threading.Event


@contextmanager
def process(options: argparse.Namespace, name: str) -> Iterator[Process]:
    """Give what the process called `name` works with; the database answers and has the newest schema."""
    settings = settings_of(options, name)
    with opened_database(settings) as url:
        yield Process(settings, url, stop_on_signals())


def settings_of(options: argparse.Namespace, name: str) -> Settings:
    """Set up the log of the process called `name` and return its settings."""
    # BLAS and OpenMP pools of several processes on few cores get in each other's way; ONNX Runtime has its own threads.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    set_up_logging(name)
    return read_settings(options.config)


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set.

    The handler runs in the main thread, perhaps in the middle of that thread's own `wait`, where `Event.set` would wait
    for ever for a lock that its own thread holds. So it only writes a byte, and another thread sets the event.
    """
    stop = threading.Event()
    reading, writing = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(writing, b"!"))

    def forward() -> None:
        os.read(reading, 1)
        stop.set()

    threading.Thread(target=forward, name="stop", daemon=True).start()
    return stop
