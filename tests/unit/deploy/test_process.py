"""A process stops when it is told to, at whatever moment it is told."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from deploy.process import stop_on_signals


@pytest.fixture
def own_handlers() -> Iterator[None]:
    """Give the handlers back that the test replaces."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.timeout(30)
def test_signals_in_the_middle_of_a_wait_stop_the_process_and_never_hang_it(own_handlers):
    stop = stop_on_signals()
    # From outside, so that one signal can arrive while the handler of another still runs, as `make` does it.
    send = f"import os, signal\nfor _ in range(20000): os.kill({os.getpid()}, signal.SIGTERM)"
    with subprocess.Popen([sys.executable, "-c", send]) as sender:
        while sender.poll() is None:
            stop.wait(0.0001)

    assert stop.wait(5)
