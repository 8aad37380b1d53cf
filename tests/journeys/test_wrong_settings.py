"""What a settings file has wrong is said when the platform starts, not hours later to the first who needs it."""

import pytest

from tests.running import acuity

pytestmark = pytest.mark.timeout(120)
PROVIDER = """
[dicom]
port = 0
[web]
port = 0
page_url = "https://acuity.example"
[provider]
name = "Hospital"
issuer = "https://login.example.org"
client_id = "acuity"
client_secret_file = "{}"
[provider.roles]
radiologists = "reader"
"""


@pytest.mark.parametrize(("content", "told"), [(None, "not readable"), ("\n", "is empty, a secret in its first line")])
def test_a_provider_whose_secret_is_not_there_ends_the_start(tmp_path, content, told):
    secret = tmp_path / "provider.secret"
    if content is not None:
        secret.write_text(content)
    (tmp_path / "acuity.toml").write_text(PROVIDER.format(secret))

    ended = acuity(tmp_path, "up")

    assert ended.returncode == 2
    assert f"provider.client_secret_file: {secret}: {told}" in ended.stderr
    assert "ready:" not in ended.stdout


AWAY = """
[dicom]
port = 0
[web]
port = 0
[database]
url = "{}"
"""


@pytest.mark.parametrize("command", [("up",), ("studies", "list", "--json")])
@pytest.mark.parametrize(
    ("url", "code", "told"),
    [
        (
            "postgresql://acuity@127.0.0.1:1/acuity",
            1,
            'database: connection failed: connection to server at "127.0.0.1"',
        ),
        ("postgresql://acuity:secret@host:port/acuity", 2, "database.url: no URL, needed postgresql://"),
        ("nonsense", 2, "database.url: no URL, needed postgresql://"),
    ],
)
def test_a_database_that_is_not_there_is_told_in_one_line(tmp_path, command, url, code, told):
    (tmp_path / "acuity.toml").write_text(AWAY.format(url))

    ended = acuity(tmp_path, *command)

    lines = [line for line in ended.stderr.splitlines() if not line.startswith("acuity: data in")]
    assert (ended.returncode, ended.stdout, len(lines)) == (code, "", 1)
    assert told in lines[0]
    assert "secret" not in ended.stderr


@pytest.mark.parametrize("command", [("up",), ("studies", "list", "--json")])
def test_a_data_folder_that_cannot_be_made_is_told_in_one_line(tmp_path, command):
    (tmp_path / "file").touch()
    (tmp_path / "empty.toml").write_text("[dicom]\nport = 0\n[web]\nport = 0\n")

    ended = acuity(tmp_path / "file" / "home", *command, "--config", str(tmp_path / "empty.toml"))

    lines = [line for line in ended.stderr.splitlines() if not line.startswith("acuity: data in")]
    assert (ended.returncode, ended.stdout) == (2, "")
    assert lines == [f"acuity: {tmp_path / 'file' / 'home'}: Not a directory, needed a folder that can be written"]


@pytest.mark.parametrize("noted", ["", '{"database": {"ur'])
def test_a_note_of_the_running_platform_that_is_half_written_is_told_in_one_line(tmp_path, noted):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "settings.json").write_text(noted)

    ended = acuity(tmp_path, "studies", "list", "--json")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"acuity: {tmp_path}/run/settings.json: not readable: ")
    assert ended.stderr.count("\n") == 1
