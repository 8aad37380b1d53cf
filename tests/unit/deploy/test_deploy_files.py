"""The files that deploy Acuity say what the code really does: commands, settings, ports, metrics."""

import configparser
import json
import re
import shlex
import shutil
import socket
import subprocess
import time
import tomllib
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian
from pynetdicom import AE

from deploy.cli import QUEUES, _parser
from deploy.settings import SettingsFile, read_settings
from tests.architecture.source_tree import PACKAGES
from tests.running import free_port

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"].startswith("acuity")}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
TOML = DEPLOY / "docker" / "acuity.toml"
EXAMPLES = sorted((DEPLOY / "docker").glob("*.env.example"))
SECRET = re.compile(r"(?i)(password|secret|token)\w*[\"']?[ \t]*[:=][ \t]*[\"']?[^\s\"'$]")


def test_every_command_of_the_compose_file_is_one_of_the_command_line():
    for service in OURS.values():
        _parser().parse_args(service["command"])


def test_every_command_of_the_systemd_units_is_one_of_the_command_line():
    for unit in UNITS:
        program, *arguments = shlex.split(_unit(unit)["Service"]["ExecStart"])

        assert program.endswith("/bin/acuity")
        _parser().parse_args(arguments)


def test_the_command_line_refuses_a_command_that_does_not_exist(capsys):
    with pytest.raises(SystemExit):
        _parser().parse_args(["work", "--queue", "laundry"])

    assert "laundry" in capsys.readouterr().err


def test_compose_and_systemd_run_every_kind_of_process():
    workers = {f"work --queue {queue}" for queue in QUEUES}
    kinds = workers | {"receive", "monitor", "web", "migrate"}
    composed = {_kind(service["command"]) for service in OURS.values()}
    units = {_kind(shlex.split(_unit(unit)["Service"]["ExecStart"])[1:]) for unit in UNITS}

    assert composed == kinds
    assert units == kinds | {"up"}


def test_the_settings_of_the_containers_are_settings_that_exist():
    settings = read_settings(TOML, {})

    assert settings.file.dicom.host == settings.file.web.host == "0.0.0.0"
    assert settings.file.dicom.peers == ()  # Whoever may store is the site's decision; loopback alone by default.


def test_a_misspelt_setting_would_be_seen():
    table = tomllib.loads(TOML.read_text(encoding="utf-8"))

    with pytest.raises(ValueError, match="ae_titel"):
        SettingsFile.model_validate({**table, "dicom": {"ae_titel": "X"}})


def test_the_environment_files_name_variables_that_are_read():
    source = (DEPLOY / "settings.py").read_text(encoding="utf-8")
    named = {line.split("=")[0] for file in EXAMPLES for line in _assignments(file)}

    assert named
    assert all(f'"{name}"' in source for name in named if name.startswith("ACUITY_"))
    assert {name for name in named if not name.startswith("ACUITY_")} == {
        "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"
    }  # fmt: skip


def test_no_file_has_a_default_password():
    files = [
        file for file in DEPLOY.rglob("*") if file.suffix in (".yaml", ".yml", ".json", ".toml", ".example", ".service")
    ]

    assert [str(file) for file in files if SECRET.search(file.read_text(encoding="utf-8"))] == []
    assert SECRET.search("POSTGRES_PASSWORD=acuity")
    assert SECRET.search('"admin_password": "x"')
    assert all(line.endswith("=") for file in EXAMPLES for line in _assignments(file) if "PASSWORD" in line)


def test_every_service_has_a_health_check_or_says_that_there_is_none():
    assert [name for name, service in COMPOSE["services"].items() if "healthcheck" not in service] == []
    assert "/healthz" in " ".join(COMPOSE["services"]["web"]["healthcheck"]["test"])


def test_receivers_and_workers_see_the_spool_under_one_path():
    for name, service in OURS.items():
        assert "home:/var/lib/acuity" in service["volumes"], name
        assert service["environment"]["ACUITY_HOME"] == "/var/lib/acuity", name
    assert "home" in COMPOSE["volumes"]


def test_our_containers_run_without_rights_that_they_do_not_need():
    for service in OURS.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_files_that_the_compose_file_mounts_exist():
    mounts = [str(one) for service in COMPOSE["services"].values() for one in service.get("volumes", ())]
    inside = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]

    assert inside
    assert [name for name in inside if not (DEPLOY / name).is_file()] == []


def test_ports_and_names_agree_across_the_files():
    settings, orthanc = read_settings(TOML, {}).file, _orthanc()
    pacs = settings.destinations[0]
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"][
        0
    ]

    assert f"{settings.dicom.port}:{settings.dicom.port}" in COMPOSE["services"]["receive"]["ports"]
    assert f"127.0.0.1:{settings.web.port}:{settings.web.port}" in COMPOSE["services"]["web"]["ports"]
    assert (pacs.host, pacs.ae_title, pacs.port) == ("orthanc", orthanc["DicomAet"], orthanc["DicomPort"])
    assert [one["AET"] for one in orthanc["DicomModalities"].values()] == [settings.dicom.ae_title]
    assert scraped["metrics_path"] == "/metrics"
    assert scraped["static_configs"][0]["targets"] == [f"web:{settings.web.port}"]


def test_every_alert_is_about_a_metric_that_exists():
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    exposed = set(re.findall(r'"(acuity_\w+)"', (ROOT / "worklist" / "figures.py").read_text(encoding="utf-8")))
    used = {name for rule in rules for name in re.findall(r"\bacuity_\w+", rule["expr"])}

    assert used
    assert used <= exposed
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in rules)


def test_the_units_are_hardened():
    for unit in UNITS:
        service = _unit(unit)["Service"]

        assert service["User"] == "acuity", unit.name
        assert service["NoNewPrivileges"] == "yes", unit.name
        assert service["ProtectSystem"] == "strict", unit.name
        assert service["CapabilityBoundingSet"] == "", unit.name
        assert service["StateDirectory"] == "acuity", unit.name
        assert service["Environment"] == "ACUITY_HOME=/var/lib/acuity", unit.name


def test_systemd_accepts_the_units(tmp_path):
    analyze = _program("systemd-analyze")
    for unit in UNITS:
        # The program is not installed here, and `verify` looks for it.
        text = unit.read_text(encoding="utf-8").replace("/opt/acuity/bin/acuity", str(_program("true")))
        (tmp_path / unit.name.replace("@", "@1")).write_text(text)
        (tmp_path / unit.name).write_text(text)

    verified = subprocess.run(
        [analyze, "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (verified.returncode, verified.stderr) == (0, "")


def test_docker_accepts_the_compose_file(tmp_path):
    docker = _program("docker")
    if subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("docker here has no compose plugin")
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    for example in (tmp_path / "deploy" / "docker").glob("*.env.example"):
        example.rename(example.with_suffix(""))
    file = str(tmp_path / "deploy" / "compose.yaml")

    checked = subprocess.run(
        [docker, "compose", "-f", file, "config", "--quiet"], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr


def test_the_image_runs_without_root_and_is_healthy_when_the_page_answers():
    instructions = _dockerfile()
    names = [name for name, _ in instructions]

    assert [value for name, value in instructions if name == "USER"] == ["acuity"]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert any(name == "HEALTHCHECK" and "/healthz" in value for name, value in instructions)
    assert ("VOLUME", '["/var/lib/acuity"]') in instructions
    assert any(name == "ENV" and "ACUITY_HOME=/var/lib/acuity" in value for name, value in instructions)
    assert ("ENTRYPOINT", '["acuity"]') in instructions
    command = next(value for name, value in instructions if name == "CMD")
    _parser().parse_args(json.loads(command))


def test_the_image_is_built_from_the_lock_for_the_cpu_unless_it_is_told_otherwise():
    instructions = _dockerfile()
    runs = [value for name, value in instructions if name == "RUN"]

    assert ("ARG", "PYTHON_VERSION=3.11") in instructions
    assert ("ARG", "RUNTIME=cpu") in instructions
    assert any("install -r requirements.lock" in run for run in runs)
    assert any('"$RUNTIME" = cuda' in run and "onnxruntime-gpu" in run for run in runs)
    stages = [value.split(" AS ")[-1] for name, value in instructions if name == "FROM"]
    assert {"serving-cpu", "serving-cuda"} < set(stages)
    assert stages[-1] == "serving-${RUNTIME}"


def test_the_image_holds_every_package_and_copies_only_what_exists():
    copied = [value.split()[:-1] for name, value in _dockerfile() if name == "COPY" and "--from" not in value]
    sources = {source for group in copied for source in group}

    assert set(PACKAGES) <= sources
    assert [source for source in sorted(sources) if not (ROOT / source).exists()] == []


def test_the_pacs_of_the_compose_file_takes_our_results_and_nobody_elses(tmp_path):
    with orthanc_running(tmp_path) as (dicom_port, http_port):
        ours = _stored_by("ACUITY", dicom_port)
        others = _stored_by("STRANGER", dicom_port)
        with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/instances", timeout=5) as answer:
            kept = json.loads(answer.read())

    assert (ours, others) == (0x0000, None)
    assert len(kept) == 1


@contextmanager
def orthanc_running(folder):
    """Run Orthanc on the configuration of the compose file, with ports and folders of this test alone."""
    program = _program("Orthanc")
    dicom_port, http_port = free_port(), free_port()
    own = {
        "DicomPort": dicom_port,
        "HttpPort": http_port,
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
    }
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps({**_orthanc(), **own}), encoding="utf-8")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, str(configuration)], stdout=log, stderr=log)
        try:
            _await_listener(dicom_port)
            yield dicom_port, http_port
        finally:
            process.terminate()
            process.wait(20)


def _await_listener(port):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("Orthanc does not answer")


def _stored_by(ae_title, port):
    """Return the status of one C-STORE, or None where no association was accepted for it."""
    entity = AE(ae_title)
    entity.add_requested_context(ComprehensiveSRStorage, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title="ORTHANC")
    if not association.is_established:
        return None
    status = association.send_c_store(_small_report())
    association.release()
    return status.get("Status")


def _small_report():
    report = Dataset()
    report.file_meta = FileMetaDataset()
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    report.SOPClassUID, report.SOPInstanceUID = ComprehensiveSRStorage, "2.25.1"
    report.StudyInstanceUID, report.SeriesInstanceUID, report.Modality = "2.25.2", "2.25.3", "SR"
    report.PatientID, report.PatientName = "1", "Phantom"
    return report


def _kind(command):
    queue = f" --queue {command[command.index('--queue') + 1]}" if "--queue" in command else ""
    return command[0] + queue


def _unit(path):
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read_string(path.read_text(encoding="utf-8"))
    return parser


def _orthanc():
    return json.loads((DEPLOY / "orthanc" / "orthanc.json").read_text(encoding="utf-8"))


def _assignments(file):
    return [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def _dockerfile():
    """Return the instructions of the Dockerfile as (name, rest), continued lines joined and comments left out."""
    text = (DEPLOY / "docker" / "Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")).replace("\\\n", " ")
    instructions = [line.split(maxsplit=1) for line in lines.splitlines() if line.strip()]
    return [(name, " ".join(rest.split())) for name, rest in instructions]


def _program(name):
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found
