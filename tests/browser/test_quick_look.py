"""The quick look on real images: the server draws first, keys scroll, and only some models may show places."""

from functools import cache

import httpx
import pytest
from playwright.sync_api import Page, expect

from dicom_gateway.simulator.modality import SimulationPlan, simulated_studies
from tests.browser.department import HAEMORRHAGE, ICH, PASSWORD, PNEUMOTHORAX, Said, until
from tests.browser.test_worklist_page import log_in
from triage.findings import Region
from triage.identifiers import SopInstanceUid

pytestmark = pytest.mark.xdist_group("browser")


@cache
def simulated(kind: str):
    (study,) = simulated_studies(SimulationPlan((kind,), 1, 1.0, 3, 0.0))
    return study.images


@pytest.fixture
def head(worklist, tmp_path):
    """A head CT with a flag and a place on its fifth slice."""
    return flagged_head(worklist, tmp_path, ICH)


def flagged_head(worklist, tmp_path, model):
    images = sorted(
        (one for one in simulated("ct") if "LOCALIZER" not in one.ImageType),
        key=lambda one: float(one.ImagePositionPatient[2]),
    )
    uid = worklist.department.scans(tmp_path / "ct", images)
    region = Region(SopInstanceUid(images[4].SOPInstanceUID), (40.0, 50.0, 90.0, 110.0), 0.91)
    worklist.department.answers(uid, Said(model, HAEMORRHAGE, 0.91), region)
    return uid


def open_first(page: Page) -> None:
    log_in(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("img", name="Image of the study")).to_be_visible(timeout=15_000)


def mean_grey(page: Page) -> float:
    value = page.evaluate(
        """() => {
            const canvas = document.querySelector(".stage canvas");
            if (!canvas || !canvas.width) return 0;
            const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            let sum = 0;
            for (let place = 0; place < pixels.length; place += 4) sum += pixels[place];
            return sum / (pixels.length / 4);
        }"""
    )
    assert isinstance(value, float | int)
    return float(value)


def test_the_study_opens_where_the_finding_is_and_scrolls_by_key(page, worklist, head):
    open_first(page)
    tools = page.get_by_role("group", name="Image")
    expect(tools).to_contain_text("5 / ")

    page.keyboard.press("ArrowDown")
    expect(tools).to_contain_text("6 / ")
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    expect(tools).to_contain_text("1 / ")
    tools.get_by_role("button", name="Go to image 5").click()
    expect(tools).to_contain_text("5 / ")


def test_the_key_image_is_there_before_the_frames(page, worklist, head):
    page.route("**/frames/*", lambda route: None)
    log_in(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    picture = page.get_by_role("img", name="Key image, with its caption")
    expect(picture).to_be_visible()
    until(lambda: picture.evaluate("(image) => image.complete && image.naturalWidth >= 512"))


def test_windows_inversion_and_zoom_change_what_is_seen(page, worklist, head):
    open_first(page)
    brain = mean_grey(page)

    page.keyboard.press("4")
    until(lambda: abs(mean_grey(page) - brain) > 5)
    bone = mean_grey(page)
    page.keyboard.press("i")
    until(lambda: mean_grey(page) > bone + 20)
    page.keyboard.press("i")
    page.keyboard.press("+")
    page.keyboard.press("+")
    until(lambda: abs(mean_grey(page) - bone) > 1)
    page.keyboard.press("0")
    until(lambda: abs(mean_grey(page) - brain) < 0.5)


def test_places_are_drawn_and_can_be_hidden(page, worklist, head):
    open_first(page)
    with_places = mean_grey(page)
    button = page.get_by_role("button", name="AI places")
    expect(button).to_have_attribute("aria-pressed", "true")

    page.keyboard.press("b")

    expect(button).to_have_attribute("aria-pressed", "false")
    until(lambda: mean_grey(page) != with_places)


def test_a_model_that_may_not_localise_shows_no_place_anywhere(page, worklist, tmp_path):
    uid = flagged_head(worklist, tmp_path, PNEUMOTHORAX)
    open_first(page)

    expect(page.get_by_role("button", name="AI places")).to_have_count(0)
    expect(page.get_by_role("button", name="Wrong place")).to_have_count(0)
    study = page.request.get(f"/api/v1/studies/{uid}").json()
    assert [finding["regions"] for finding in study["findings"]] == [[]]


def test_a_verdict_says_what_of_the_ai_was_on_the_screen(page, worklist, head):
    open_first(page)
    page.keyboard.press("a")
    expect(page.get_by_text("Agreed with the AI on")).to_be_visible()
    page.keyboard.press("b")
    expect(page.get_by_role("button", name="AI places")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("d")
    expect(page.get_by_text("Disagreed with the AI on")).to_be_visible()

    events = page.request.get("/api/v1/audit").json()["events"]
    given = [one["details"]["exposure"] for one in events if one["action"] == "verdict_given"]
    assert given == ["images", "locations"]


def test_an_ultrasound_and_an_x_ray_are_shown_too(page, worklist, tmp_path):
    worklist.department.scans(tmp_path / "us", simulated("us"), minutes_ago=3)
    worklist.department.scans(tmp_path / "dx", simulated("dx"), minutes_ago=2)
    open_first(page)
    until(lambda: mean_grey(page) > 10)

    page.keyboard.press("j")
    expect(page.get_by_role("group", name="Image")).to_contain_text("Open the full study")
    until(lambda: mean_grey(page) > 10)


def test_images_are_kept_nowhere_and_every_view_is_noted_once(worklist, head):
    with httpx.Client(base_url=worklist.url, headers={"Origin": worklist.url}) as client:
        client.post("/api/v1/session", json={"name": "admin", "password": PASSWORD}).raise_for_status()
        images = client.get(f"/api/v1/studies/{head}/images").json()
        (series,) = images["series"]
        frames = [f"/api/v1/studies/{head}/images/{one['sop_instance_uid']}/frames/1" for one in series["frames"][:3]]
        answers = [client.get(path) for path in [*frames, f"/api/v1/studies/{head}/key-image"]]
        events = client.get("/api/v1/audit").json()["events"]
        elsewhere = client.get(f"/api/v1/studies/1.2.3/images/{series['frames'][0]['sop_instance_uid']}/frames/1")
        no_such_frame = client.get(frames[0].replace("/frames/1", "/frames/2"))

    assert {(one.status_code, one.headers["cache-control"]) for one in answers} == {(200, "no-store")}
    seen = [one for one in events if one["action"] == "images_viewed"]
    assert [(one["study_instance_uid"], one["details"]["series"]) for one in seen] == [
        (head, series["series_instance_uid"])
    ]
    assert (elsewhere.status_code, no_such_frame.status_code) == (404, 422)
