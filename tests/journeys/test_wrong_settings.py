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
