"""The simulated scanners and the simulated PACS as processes, and `acuity simulate`."""

import threading

from deploy.settings import Settings
from triage.errors import InvalidSetting


def run_pacs(settings: Settings, stop: threading.Event) -> None:
    """Receive results as the simulated PACS until `stop`."""
    raise InvalidSetting("not wired yet")


def run_scanners(settings: Settings, stop: threading.Event) -> None:
    """Send simulated studies until `stop`."""
    raise InvalidSetting("not wired yet")
