"""The real web server on a real PostgreSQL, and a real Chromium that looks at it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from sqlalchemy import Engine

from storage.accounts import AccountRows
from tests.browser.department import PASSWORD, Department, services_on
from tests.browser.serving import running
from worklist.app import create_app
from worklist.auth import ensure_admin
from worklist.settings import WebSettings

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


@dataclass(frozen=True, slots=True)
class Worklist:
    """A running web server on a department."""

    url: str
    department: Department
    accounts: AccountRows

    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def worklist(engine: Engine) -> Iterator[Worklist]:
    """The real server on an empty department; the account `admin` has `PASSWORD`."""
    services = services_on(engine)
    ensure_admin(services.accounts, PASSWORD, services.clock)
    with running(create_app(services, WebSettings(ping_every=timedelta(seconds=1)))) as url:
        yield Worklist(url, Department(engine), AccountRows(engine))


def chromium_path() -> str | None:
    """Return where the distribution's Chromium is, None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for the tests of a module; without it they are skipped.

    Not for the whole session: Playwright keeps an event loop running in this thread, and other tests need their own.
    """
    executable = chromium_path()
    if executable is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


def of_image(said: ConsoleMessage) -> bool:
    """Return whether the browser tells that an image could not be had: most studies of the department have no files."""
    url = said.location["url"]
    return "/images/" in url or url.endswith("/key-image")


@pytest.fixture
def page(chromium: Browser, worklist: Worklist) -> Iterator[Page]:
    """A fresh page of the worklist; what the browser complains about fails the test."""
    context = chromium.new_context(base_url=worklist.url, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type == "error" and not of_image(said) else None
    )
    yield page
    context.close()
    # A browser writes every answer that is no success to its console; these are meant.
    meant = ("401", "409", "ERR_CONNECTION")
    unexpected = [one for one in complaints if not any(word in one for word in meant)]
    assert not unexpected, unexpected
