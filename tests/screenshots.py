"""Screenshots of the documents, of the real platform with simulated scanners: `python -m tests.screenshots`."""

import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import CHROMIUM_ARGUMENTS, chromium_path
from tests.browser.going import colour, go_to
from tests.running import PASSWORD, RunningAcuity, acuity_up, wait_for

TARGET = Path(__file__).resolve().parents[1] / "docs" / "screenshots"
SETTINGS = "[dicom]\nport = 0\n[web]\nport = 0\n"
SIZE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
STUDIES = 14
FIRST_ACCESSION = "fetch('/api/v1/worklist?limit=1').then(a => a.json()).then(a => a.rows[0].accession)"
RULES = """
[[rules]]
name = "head CT comes first"
when.all = [
  { tag = "Modality", equals = "CT" },
  { any = [{ tag = "BodyPartExamined", equals = "HEAD" }, { tag = "StudyDescription", contains = "head" }] },
]
then = { run_only = ["ct-head-haemorrhage"], priority_floor = "urgent" }
[[rules]]
name = "keep what the night shift read"
when = { time = "22:00-06:00" }
then = { retention_days = 90 }
"""


def main() -> None:
    """Write docs/screenshots/*.png."""
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        (home / "rules.toml").write_text(RULES, encoding="utf-8")
        take_all(home)


def take_all(home: Path) -> None:
    """Write the pictures of one run in `home`."""
    with acuity_up(home, SETTINGS, "--simulator") as running:
        wait_for(lambda: enough(running), 240, running.studies)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS)
            for scheme, suffix in (("dark", ""), ("light", "-light")):
                page = browser.new_page(viewport=SIZE)
                colour(page, scheme)
                take(page, running.url, suffix)
            take_cine(browser.new_page(viewport=SIZE), running.url)
            german = browser.new_page(viewport=SIZE, locale="de-DE")
            enter(german, running.url)
            german.screenshot(path=TARGET / "german.png")
            take_phone(browser.new_page(viewport=PHONE), running.url)
            browser.close()


def enough(running: RunningAcuity) -> bool:
    studies = running.studies()
    done = [one for one in studies if one["ai_state"] != "pending"]
    return len(done) >= STUDIES and studies[0]["status"] == "DELIVERED"


def take(page: Page, url: str, suffix: str) -> None:
    """Log in, and keep the list and the first study beside it."""
    if not suffix:
        page.goto(url)
        page.locator("input").nth(0).fill("admin")
        page.screenshot(path=TARGET / "login.png")
    enter(page, url)
    page.screenshot(path=TARGET / f"worklist{suffix}.png")
    if not suffix:
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.get_by_role("img", name="Image of the study").wait_for()
        page.wait_for_timeout(3000)
        page.screenshot(path=TARGET / "study.png")
        page.keyboard.press("Escape")
        go_to(page, "Audit")
        page.get_by_text("Images viewed").first.wait_for()
        page.screenshot(path=TARGET / "audit.png")
        go_to(page, "System")
        page.get_by_role("row", name="ct-head-haemorrhage").wait_for()
        page.screenshot(path=TARGET / "system.png")
        go_to(page, "Rules")
        page.get_by_label("Accession number").fill(page.evaluate(FIRST_ACCESSION))
        page.get_by_role("button", name="Try the rules").click()
        page.get_by_role("status", name="What follows").wait_for()
        page.screenshot(path=TARGET / "rules.png")
        go_to(page, "Users")
        for name, role in (("dr.patel", "lead"), ("night.reader", "reader"), ("pacs", "operator")):
            page.locator("input[name=name]").fill(name)
            page.locator("select[name=role]").select_option(role)
            page.get_by_role("button", name="Add the account").click()
            page.get_by_role("row", name=name).wait_for()
        page.screenshot(path=TARGET / "users.png")


def enter(page: Page, address: str) -> None:
    """Log in, and wait for the list."""
    page.goto(address)
    page.locator("input").nth(0).fill("admin")
    page.locator("input").nth(1).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("tr[data-uid]").first.wait_for(timeout=180_000)
    page.wait_for_timeout(1000)


def take_cine(page: Page, url: str) -> None:
    """Keep a moving ultrasound beside the list, while it plays."""
    enter(page, f"{url}/?modality=US&reading=all")
    page.get_by_role("row").nth(1).click()
    page.get_by_label("Series").wait_for(timeout=60_000)
    page.get_by_label("Series").select_option(label=str(page.locator("option", has_text="cine").text_content()))
    page.wait_for_timeout(4000)
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(1000)
    page.screenshot(path=TARGET / "cine.png")


def take_phone(page: Page, url: str) -> None:
    """Log in on a phone, and keep the first study over the list."""
    enter(page, url)
    page.get_by_role("row").nth(1).click()
    page.get_by_role("img", name="Image of the study").wait_for()
    page.wait_for_timeout(2000)
    page.screenshot(path=TARGET / "phone.png")


if __name__ == "__main__":
    main()
