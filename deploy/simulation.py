"""`acuity scanners` and `acuity simulated-pacs`: the simulated surroundings of the platform as processes."""

import argparse
import socket
import threading
import time
from datetime import UTC, datetime

import structlog

from deploy.opened import noted_settings
from deploy.process import settings_of, stop_on_signals
from deploy.settings import DestinationSection, Settings, SettingsFile, read_settings
from dicom_gateway.simulator.modality import SentStudy, SimulationPlan, simulate
from dicom_gateway.simulator.pacs import SimulatedPacs
from dicom_gateway.simulator.sending import Address, await_receiver
from triage.errors import InvalidSetting

log = structlog.get_logger(__name__)

PACS_AE_TITLE = "SIMPACS"
MODALITIES = ("ct", "mr", "us", "dx")
POSITIVE_RATE = 0.3

SHIFT = ((1, 0.0), (15, 5.0), (None, 45.0))
"""Studies and the mean seconds between them: one at once, a list to look at within two minutes, then a night's pace.

A simulated head CT takes 4 MB; at a night's pace a forgotten `make run` writes about 2 GB a day.
"""


def run_pacs(options: argparse.Namespace) -> int:
    """Receive results as the simulated PACS until SIGTERM or SIGINT."""
    receive_results(settings_of(options, "simulated-pacs"), stop_on_signals())
    return 0


def run_scanners(options: argparse.Namespace) -> int:
    """Send simulated studies until SIGTERM or SIGINT."""
    send_studies(settings_of(options, "scanners"), stop_on_signals())
    return 0


def receive_results(settings: Settings, stop: threading.Event) -> None:
    """Receive results as the simulated PACS until `stop`.

    Raises:
        InvalidSetting: no destination of the settings has the AE title SIMPACS.
    """
    here = _pacs_destination(settings)
    pacs = SimulatedPacs(settings.home / "simulated-pacs", here.ae_title, here.host, here.port)
    pacs.start()
    log.info("simulated_pacs_listening", port=pacs.port)
    stop.wait()
    pacs.stop()


def send_studies(settings: Settings, stop: threading.Event) -> None:
    """Send simulated studies until `stop`: first a head CT with a bleed, then every modality as patients come.

    The seed comes from the clock, so that a restart sends new studies.
    """
    to = own_address(settings.file)
    if not await_receiver(to, "SIMCT", stop):
        return
    seed = time.time_ns()
    for part, (studies, mean_seconds_between) in enumerate(SHIFT):
        plan = SimulationPlan(
            scanners=MODALITIES if part else ("ct",),
            studies=studies,
            positive_rate=POSITIVE_RATE if part else 1.0,
            seed=seed + part,
            mean_seconds_between=mean_seconds_between,
            started=datetime.now(UTC).replace(microsecond=0),
        )
        simulate(plan, to, stop, sent=_note)


def own_address(file: SettingsFile) -> Address:
    """Return where this Acuity receives, as seen from this machine."""
    dicom = file.dicom
    return Address(dicom.ae_title, "127.0.0.1" if dicom.host == "0.0.0.0" else dicom.host, dicom.port)


def running_address(settings: Settings) -> Address:
    """Return where the platform that runs on this data folder receives; where none runs, what the settings say.

    `acuity up` notes the settings that it runs with, ports that it chose itself included.
    """
    noted = noted_settings(settings.home)
    if noted.is_file():
        address = own_address(read_settings(noted).file)
        if _listens(address):
            return address
    return own_address(settings.file)


def _listens(address: Address) -> bool:
    try:
        with socket.create_connection((address.host, address.port), timeout=1.0):
            return True
    except OSError:
        return False


def _pacs_destination(settings: Settings) -> DestinationSection:
    for destination in settings.file.destinations:
        if destination.ae_title == PACS_AE_TITLE:
            return destination
    known = ", ".join(one.ae_title for one in settings.file.destinations) or "none"
    raise InvalidSetting(f"destinations: {known}; the simulated PACS needs one with the AE title {PACS_AE_TITLE}")


def _note(study: SentStudy) -> None:
    """Write what was sent to the log, without what it shows: the log is no place for the truth."""
    write = log.info if study.is_delivered else log.warning
    write("simulated_study_sent", modality=study.modality, instances=study.instances, delivered=study.is_delivered)
