"""The main job on real parts: a database, a receiver on a free port, DCMTK's own tools."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from deploy.settings import TlsSection
from dicom_gateway.peers import PeerList
from dicom_gateway.receiver import Receiver, ReceiverSettings
from dicom_gateway.spool import prepare_spool
from dicom_gateway.storing import Service
from storage.arrivals import ArrivalRows
from storage.database import DatabaseTransactions
from storage.intake import IntakeRows
from tests.browser.department import Department
from tests.builders import HEAD_CT, MODEL, FrozenClock
from tests.certificates import Certificates, made_certificates
from triage.completion import CompletionRule
from triage.ports import ModelOffer
from triage.priority import TargetTimes
from triage.workflow import Receiving


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def transactions(engine: Engine) -> DatabaseTransactions:
    return DatabaseTransactions(engine)


@pytest.fixture
def arrivals(engine: Engine) -> Iterator[ArrivalRows]:
    rows = ArrivalRows(engine)
    yield rows
    rows.close()


@pytest.fixture
def department(engine: Engine) -> Department:
    return Department(engine)


@pytest.fixture
def receiving(transactions: DatabaseTransactions, clock: FrozenClock, arrivals: ArrivalRows) -> Receiving:
    rule = CompletionRule(timedelta(seconds=5), timedelta(seconds=0.3))
    offers = (ModelOffer(MODEL, HEAD_CT, "bleeding"),)
    return Receiving(transactions, clock, offers, TargetTimes(), rule, arrivals)


@pytest.fixture
def intake(engine: Engine) -> IntakeRows:
    return IntakeRows(engine)


@dataclass(frozen=True)
class RunningReceiver:
    """A receiver that listens, and the folder that it writes to."""

    receiver: Receiver
    spool: Path

    @property
    def port(self) -> int:
        return self.receiver.port


@pytest.fixture
def start_receiver(receiving: Receiving, engine: Engine, tmp_path: Path) -> Iterator[Callable[..., RunningReceiver]]:
    started: list[Receiver] = []

    def start(
        peers: PeerList | None = None,
        min_free_bytes: int = 0,
        services: Mapping[str, Service] | None = None,
        **changes: object,
    ) -> RunningReceiver:
        spool = prepare_spool(tmp_path / "spool", min_free_bytes)
        settings = replace(ReceiverSettings(port=0), **changes)  # type: ignore[arg-type]
        receiver = Receiver(settings, peers or PeerList(), spool, receiving, IntakeRows(engine), services)
        receiver.start()
        started.append(receiver)
        return RunningReceiver(receiver, tmp_path / "spool")

    yield start
    for receiver in started:
        receiver.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return made_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def tls(certificates: Certificates) -> TlsSection:
    """The settings of a receiver that shows a certificate of the authority, and demands one."""
    return TlsSection(
        certificate=certificates.path("receiver.pem"),
        key=certificates.path("receiver.key"),
        authorities=certificates.path("authority.pem"),
    )


@pytest.fixture(scope="session")
def dcmtk() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run one of DCMTK's tools (pynetdicom installs scripts of the same names, so only /usr/bin is searched)."""

    def run(
        tool: str, *arguments: object, timeout: float = 60, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        path = shutil.which(tool, path="/usr/bin:/usr/local/bin:/bin")
        if path is None:
            pytest.skip(f"DCMTK's {tool} is not installed (tests/install_peers.sh needs apt-get)")
        return subprocess.run(
            [path, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False, cwd=folder
        )

    return run
