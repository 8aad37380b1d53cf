"""Simulated scanners send real associations to the simulated PACS, and report what really became of each image."""

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
import structlog
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import Verification

from deploy.cli import main
from deploy.settings import DestinationSection, Settings, SettingsFile
from deploy.simulation import receive_results, running_address, send_studies
from dicom_gateway.simulator.modality import SimulationPlan, simulate, simulated_studies
from dicom_gateway.simulator.pacs import SimulatedPacs, stored_objects
from dicom_gateway.simulator.sending import Address, Patience, await_receiver, send_study
from triage.errors import InvalidSetting

PLAN = SimulationPlan(("us", "dx"), studies=3, positive_rate=0.5, seed=8, mean_seconds_between=0.0)
AT_ONCE = Patience(tries=3, first_pause_s=0.0)


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[SimulatedPacs]:
    running = SimulatedPacs(tmp_path / "pacs", "SIMPACS", "127.0.0.1", 0)
    running.start()
    yield running
    running.stop()


def address_of(pacs: SimulatedPacs) -> Address:
    return Address("SIMPACS", "127.0.0.1", pacs.port)


@contextmanager
def a_receiver_that_answers(statuses: Sequence[int]) -> Iterator[tuple[Address, list[str]]]:
    """Run a storage SCP that answers with `statuses` in turn, then with success; it gives the UIDs it was sent."""
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    received: list[str] = []

    def on_c_store(event: evt.Event) -> int:
        received.append(str(event.request.AffectedSOPInstanceUID))
        return statuses[len(received) - 1] if len(received) <= len(statuses) else 0x0000

    entity = AE(ae_title="MOODY")
    entity.add_supported_context(Verification)
    handlers: list[evt.EventHandlerType] = [(evt.EVT_C_STORE, on_c_store), (evt.EVT_C_ECHO, lambda _event: 0x0000)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    yield Address("MOODY", "127.0.0.1", server.server_address[1]), received
    server.shutdown()


def test_every_image_of_the_plan_reaches_the_pacs(pacs: SimulatedPacs, tmp_path: Path) -> None:
    report = simulate(PLAN, address_of(pacs), threading.Event())

    planned = list(simulated_studies(PLAN))
    kept = {path.stem for path in stored_objects(tmp_path / "pacs")}
    assert report.is_delivered
    assert [study.study_instance_uid for study in report.studies] == [study.study_instance_uid for study in planned]
    assert [study.has_lesion for study in report.studies] == [study.has_lesion for study in planned]
    assert [study.statuses for study in report.studies] == [("0000H",) * len(study.images) for study in planned]
    assert kept == {image.SOPInstanceUID for study in planned for image in study.images}


def test_pixels_arrive_as_they_were_made(pacs: SimulatedPacs, tmp_path: Path) -> None:
    simulate(PLAN, address_of(pacs), threading.Event())

    made = {str(i.SOPInstanceUID): i.PixelData for study in simulated_studies(PLAN) for i in study.images}
    kept = {path.stem: dcmread(path).PixelData for path in stored_objects(tmp_path / "pacs")}
    assert kept == made


def test_the_same_studies_sent_twice_are_kept_once_and_unchanged(pacs: SimulatedPacs, tmp_path: Path) -> None:
    simulate(PLAN, address_of(pacs), threading.Event())
    before = [sha256(path.read_bytes()).digest() for path in stored_objects(tmp_path / "pacs")]

    again = simulate(PLAN, address_of(pacs), threading.Event())

    assert again.is_delivered
    assert [sha256(path.read_bytes()).digest() for path in stored_objects(tmp_path / "pacs")] == before
    assert not list((tmp_path / "pacs").glob("*.part"))


def test_the_pacs_refuses_another_object_under_a_uid_that_it_keeps(pacs: SimulatedPacs, tmp_path: Path) -> None:
    image = next(iter(simulated_studies(PLAN))).images[0]
    first = _store(pacs, image)
    kept = stored_objects(tmp_path / "pacs")[0].read_bytes()
    image.PatientID = "SIM-999999"

    second = _store(pacs, image)

    assert (first, second) == (0x0000, 0x0111)
    assert stored_objects(tmp_path / "pacs")[0].read_bytes() == kept


def test_what_the_pacs_keeps_is_a_dicom_file(pacs: SimulatedPacs, tmp_path: Path) -> None:
    simulate(replace(PLAN, studies=1), address_of(pacs), threading.Event())

    path = stored_objects(tmp_path / "pacs")[0]
    assert dcmread(BytesIO(path.read_bytes())).SOPInstanceUID == path.stem


def test_an_image_that_was_not_taken_is_sent_again_and_only_that_one() -> None:
    plan = replace(PLAN, scanners=("us",), studies=1, seed=3)
    images = next(iter(simulated_studies(plan))).images
    with a_receiver_that_answers([0xA700]) as (address, received):
        report = simulate(plan, address, threading.Event(), AT_ONCE)

    uids = [image.SOPInstanceUID for image in images]
    assert report.is_delivered
    assert received == [*uids, uids[0]]


def test_an_association_that_breaks_off_takes_no_confirmation_away(monkeypatch: pytest.MonkeyPatch) -> None:
    still, film = (
        next(iter(simulated_studies(replace(PLAN, scanners=(name,), studies=1)))).images[0] for name in ("us", "dx")
    )
    monkeypatch.setattr(_config, "UNRESTRICTED_STORAGE_SERVICE", False)
    entity = AE(ae_title="STILLS")
    entity.add_supported_context(Verification)
    entity.add_supported_context(still.SOPClassUID)
    handlers: list[evt.EventHandlerType] = [(evt.EVT_C_STORE, lambda _event: 0x0000)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None

    address = Address("STILLS", "127.0.0.1", server.server_address[1])
    delivery = send_study((still, film), "SIMUS", address, threading.Event(), AT_ONCE)
    server.shutdown()

    assert delivery.statuses == ("0000H", "not sent")
    assert not delivery.is_complete


def test_a_refused_image_is_reported_and_not_sent_again() -> None:
    plan = replace(PLAN, scanners=("dx",), studies=1)
    with a_receiver_that_answers([0x0124]) as (address, received):
        report = simulate(plan, address, threading.Event(), AT_ONCE)

    assert not report.is_delivered
    assert report.studies[0].statuses == ("0124H",)
    assert len(received) == 1


def test_a_receiver_that_never_takes_it_ends_the_patience_and_the_next_study_follows() -> None:
    plan = replace(PLAN, scanners=("dx",), studies=2)
    with a_receiver_that_answers([0xA700] * AT_ONCE.tries) as (address, received):
        report = simulate(plan, address, threading.Event(), AT_ONCE)

    assert [study.is_delivered for study in report.studies] == [False, True]
    assert report.studies[0].statuses == ("A700H",)
    assert len(received) == AT_ONCE.tries + 1


def test_without_a_receiver_nothing_counts_as_sent(free_port: int) -> None:
    report = simulate(replace(PLAN, studies=1), Address("AWAY", "127.0.0.1", free_port), threading.Event(), AT_ONCE)

    assert not report.is_delivered
    assert set(report.studies[0].statuses) == {"not sent"}


def test_a_stop_ends_an_endless_plan_after_the_study_under_way(pacs: SimulatedPacs) -> None:
    stop = threading.Event()
    delivered: list[bool] = []

    def note(study: object) -> None:
        delivered.append(bool(getattr(study, "is_delivered", False)))
        stop.set()

    simulate(replace(PLAN, studies=None, scanners=("dx",)), address_of(pacs), stop, sent=note)

    assert delivered == [True]


def test_a_stop_that_is_set_sends_nothing(pacs: SimulatedPacs, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()

    report = simulate(PLAN, address_of(pacs), stop)

    assert report.studies == ()
    assert stored_objects(tmp_path / "pacs") == ()
    assert not await_receiver(address_of(pacs), "SIMCT", stop)


def test_the_command_prints_its_report_as_one_json_document(
    pacs: SimulatedPacs, capsys: pytest.CaptureFixture[str], logging_as_before: None
) -> None:
    to = str(address_of(pacs))
    code = main(["simulate", "--scanner", "dx", "--studies", "2", "--positive-rate", "1", "--to", to, "--json"])

    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert report["to"] == to
    assert [study["statuses"] for study in report["studies"]] == [["0000H"], ["0000H"]]
    assert all(study["has_lesion"] and study["modality"] == "DX" for study in report["studies"])


def test_the_command_sends_as_the_scanners_of_a_scenario_on_a_day(
    pacs: SimulatedPacs, tmp_path: Path, capsys: pytest.CaptureFixture[str], logging_as_before: None
) -> None:
    to = str(address_of(pacs))
    command = ["simulate", "--scanner", "ct", "--scenario", "vendor", "--on", "2026-07-06", "--studies", "4"]
    code = main([*command, "--to", to, "--json"])

    report = json.loads(capsys.readouterr().out)
    assert (code, len(report["studies"])) == (0, 4)
    images = [dcmread(file, stop_before_pixels=True) for file in stored_objects(tmp_path / "pacs")]
    assert {one.StudyDate for one in images} == {"20260706"}
    makers = {one.Manufacturer for one in images}
    assert "Acuity Simulator Delta" in makers
    assert "Acuity Simulator Alpha" not in makers


def test_the_command_refuses_a_malformed_receiver_with_exit_2(
    capsys: pytest.CaptureFixture[str], logging_as_before: None
) -> None:
    code = main(["simulate", "--scanner", "dx", "--to", "nobody"])

    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert "AE@HOST:PORT" in said.err


def test_the_command_sends_to_the_platform_that_runs_on_this_data_folder(tmp_path: Path) -> None:
    settings = Settings(tmp_path, SettingsFile())
    (tmp_path / "run").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as platform:
        port = int(platform.getsockname()[1])
        noted = SettingsFile.model_validate({"dicom": {"ae_title": "NOTED", "port": port}})
        (tmp_path / "run" / "settings.json").write_text(noted.model_dump_json(), encoding="utf-8")

        while_it_runs = running_address(settings)

    assert while_it_runs == Address("NOTED", "127.0.0.1", port)
    assert running_address(settings) == Address("ACUITY", "127.0.0.1", 11112)


def test_the_scanners_of_the_platform_send_a_head_ct_at_once(pacs: SimulatedPacs, tmp_path: Path) -> None:
    file = SettingsFile.model_validate({"dicom": {"ae_title": "SIMPACS", "port": pacs.port}})
    settings, stop = Settings(tmp_path, file), threading.Event()
    running = threading.Thread(target=send_studies, args=(settings, stop))
    running.start()

    _wait_until(lambda: len(stored_objects(tmp_path / "pacs")) >= 10)
    stop.set()
    running.join(timeout=30)

    modalities = {dcmread(path, specific_tags=["Modality"]).Modality for path in stored_objects(tmp_path / "pacs")}
    assert not running.is_alive()
    assert modalities == {"CT"}


def test_the_pacs_of_the_platform_listens_where_the_settings_send_to(tmp_path: Path, free_port: int) -> None:
    settings, stop = _settings(tmp_path, free_port), threading.Event()
    running = threading.Thread(target=receive_results, args=(settings, stop))
    running.start()

    answered = await_receiver(Address("SIMPACS", "127.0.0.1", free_port), "ACUITY", threading.Event(), pause_s=0.02)
    stop.set()
    running.join(timeout=30)

    assert answered
    assert not running.is_alive()


def test_a_platform_without_the_simulated_pacs_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="AE title SIMPACS"):
        receive_results(Settings(tmp_path, SettingsFile()), threading.Event())


@pytest.fixture
def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put logging and the environment back after a command has set them up for its process."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    handlers, level = list(logging.root.handlers), logging.root.level
    yield
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def _settings(home: Path, pacs_port: int) -> Settings:
    destination = DestinationSection(name="PACS", ae_title="SIMPACS", host="127.0.0.1", port=pacs_port)
    return Settings(home, SettingsFile(destinations=(destination,)))


def _store(pacs: SimulatedPacs, image: Dataset) -> int:
    entity = AE()
    entity.add_requested_context(image.SOPClassUID, image.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", pacs.port, ae_title="SIMPACS")
    status = association.send_c_store(image)
    association.release()
    return int(status.Status)


def _wait_until(is_true: Callable[[], bool], limit_s: float = 60.0) -> None:
    """Return once `is_true`, looked at every 20 ms."""
    tick = threading.Event()
    for _ in range(int(limit_s / 0.02)):
        if is_true():
            return
        tick.wait(0.02)
    raise AssertionError(f"not true within {limit_s} s")
