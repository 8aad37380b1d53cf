"""The start of the platform: a slow machine is waited for, a process that ends again and again is not."""

import threading

import pytest

from deploy import supervisor
from deploy.settings import read_settings
from deploy.supervisor import Child, Platform
from triage.errors import StoreUnavailable


@pytest.fixture
def platform(tmp_path, monkeypatch):
    """One that never becomes ready: nothing listens on its ports."""
    monkeypatch.setattr(supervisor, "PATIENCE_S", 0.2)
    monkeypatch.setattr(supervisor, "LONGEST_START_S", 0.8)
    file = tmp_path / "acuity.toml"
    file.write_text("[dicom]\nport = 1\n[web]\nport = 1\n")
    return Platform(read_settings(file), simulator=False)


def test_a_process_that_ended_is_named_when_patience_ends(platform):
    platform.children = [Child("web", ("--help",), restarts=1, not_before=float("inf"))]

    with pytest.raises(StoreUnavailable, match=r"not ready within 0 s: web ended, the log lines above say why"):
        platform._await_ready(threading.Event())


def test_a_slow_machine_is_waited_for_longer(platform):
    with pytest.raises(StoreUnavailable, match=r"not ready within 1 s: this machine is too slow"):
        platform._await_ready(threading.Event())


def test_a_stop_ends_the_wait_for_readiness(platform, capsys):
    stop = threading.Event()
    stop.set()

    platform._await_ready(stop)

    assert capsys.readouterr().out == ""
