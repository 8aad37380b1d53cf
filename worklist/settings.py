"""What an administrator decides about the web application."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class WebSettings:
    """How the application is reached and how long a login lasts.

    Attributes:
        https: people reach the application over https, here or through a proxy; cookies are then Secure.
        allowed_hosts: the host names (without port) under which it may be reached; IPv6 in brackets.
        session_lifetime: how long after the login a person must log in again.
        answer_failures_after: no failed login is answered sooner, so that its time tells nothing about the account.
        viewer_url: the address of the full image viewer, with {study_uid} in it; empty where there is none.
        data_folder: where images are kept, whose disk the administrator's page shows; None where it is not known.
        kept_free_bytes: below this, instances are refused.
        destinations: the name of each place that results are sent to, and its AE title and address in words.
        break_glass_lasts: how long a study of another site is open to who gave a reason; None: nobody may open one.
        ping_every: how often an open event stream shows that it is alive and checks its session again.
    """

    https: bool = False
    allowed_hosts: tuple[str, ...] = LOOPBACK_HOSTS
    session_lifetime: timedelta = timedelta(hours=12)
    answer_failures_after: timedelta = timedelta(milliseconds=500)
    viewer_url: str = ""
    data_folder: Path | None = None
    kept_free_bytes: int = 0
    destinations: Mapping[str, str] = field(default_factory=dict)
    break_glass_lasts: timedelta | None = None
    ping_every: timedelta = timedelta(seconds=15)

    @property
    def cookie_name(self) -> str:
        """The name of the session cookie; with the __Host- prefix browsers refuse it from any other host or path."""
        return "__Host-acuity" if self.https else "acuity"
