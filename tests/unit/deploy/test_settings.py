"""Settings are read once, checked whole, and wrong ones are all named at once."""

import pytest

from deploy.settings import read_settings
from triage.errors import InvalidSetting


def written(tmp_path, text: str):
    (tmp_path / "acuity.toml").write_text(text)
    return {"ACUITY_HOME": str(tmp_path)}


def test_without_a_file_the_defaults_hold(tmp_path):
    settings = read_settings(environment={"ACUITY_HOME": str(tmp_path)})

    dicom, web = settings.file.dicom, settings.file.web
    assert (dicom.ae_title, dicom.host, dicom.port) == ("ACUITY", "127.0.0.1", 11112)
    assert (web.host, web.port) == ("127.0.0.1", 8380)
    assert settings.file.completeness.quiet_period_s == 5
    assert settings.home == tmp_path


def test_what_the_file_says_is_used(tmp_path):
    text = """
    [dicom]
    ae_title = "NIGHT"
    [[dicom.peers]]
    ae_title = "CT1"
    host = "192.0.2.7"
    [[destinations]]
    name = "PACS"
    ae_title = "ORTHANC"
    host = "192.0.2.8"
    port = 104
    send = ["sr"]
    [targets]
    critical_minutes = 10
    """

    settings = read_settings(environment=written(tmp_path, text))

    assert settings.file.dicom.peers[0].ae_title == "CT1"
    assert settings.file.destinations[0].send == {"sr"}
    assert settings.target_times.critical.total_seconds() == 600


def test_all_mistakes_are_told_at_once_with_place_and_value(tmp_path):
    environment = written(tmp_path, "[dicom]\nport = 70000\nprot = 1\n[completeness]\nquiet_period_s = -1\n")

    with pytest.raises(InvalidSetting) as raised:
        read_settings(environment=environment)

    told = str(raised.value)
    assert "dicom.port" in told
    assert "70000" in told
    assert "dicom.prot" in told
    assert "completeness.quiet_period_s" in told
    assert str(tmp_path / "acuity.toml") in told


@pytest.mark.parametrize("text", ["[dicom", "dicom = 3", '[site]\ntime_zone = "Mars"'])
def test_a_file_that_makes_no_sense_is_refused(tmp_path, text):
    with pytest.raises(InvalidSetting):
        read_settings(environment=written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('certificate = "a.pem"', "certificate and key are needed together"),
        ('certificate = "a.pem"\nkey = "a.key"', "authorities are needed to check the peers' certificates"),
        ('authorities = "ca.pem"', "certificate and key are needed for TLS"),
    ],
)
def test_half_a_tls_setting_is_refused_and_not_served_in_clear(tmp_path, text, said):
    with pytest.raises(InvalidSetting, match=said):
        read_settings(environment=written(tmp_path, f"[dicom.tls]\n{text}\n"))


def test_a_named_file_must_exist(tmp_path):
    with pytest.raises(InvalidSetting, match="no such settings file"):
        read_settings(tmp_path / "absent.toml", {"ACUITY_HOME": str(tmp_path)})


def test_the_password_is_never_printed(tmp_path):
    settings = read_settings(environment={"ACUITY_HOME": str(tmp_path), "ACUITY_ADMIN_PASSWORD": "hunter2"})

    assert settings.admin_password == "hunter2"
    assert "hunter2" not in repr(settings)
