"""Secrets stand in files of their own, so that the settings file can be shown to anyone."""

from pathlib import Path

from deploy.settings import Settings
from triage.errors import InvalidSetting


def secret_in(path: str, name: str) -> str:
    """Return the first line of the file at `path`; raises InvalidSetting, calling the setting `name`."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{name}: {path}: not readable: {error}") from error
    if not lines or not lines[0].strip():
        raise InvalidSetting(f"{name}: {path}: is empty, a secret in its first line is needed")
    return lines[0].strip()


def provider_secret(settings: Settings) -> str:
    """Return what Acuity proves itself with to the identity provider, "" for a public client; raises InvalidSetting."""
    path = settings.file.provider.client_secret_file
    return path and secret_in(path, "provider.client_secret_file")
