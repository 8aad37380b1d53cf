"""DICOMweb on a real server: dicomweb-client stores, searches and retrieves; what is wrong is refused and told."""

import hashlib
import threading
import tracemalloc
from io import BytesIO

import httpx
import numpy as np
import pytest
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.filewriter import dcmwrite

from deploy.settings import Settings, SettingsFile
from deploy.web import services_on, web_settings
from storage.instances import list_instances
from tests.browser.serving import running
from tests.head_ct_files import write_head_ct
from tests.integration.test_worklist_api import flattened, with_role
from worklist.app import create_app
from worklist.roles import PERMISSIONS, Permission, Role

LIST, IMAGES, STORE = Permission.SEE_LIST, Permission.SEE_IMAGES, Permission.STORE_IMAGES
ROOT = "/dicom-web/studies"
IMAGE = f"{ROOT}/{{study}}/series/{{series}}/instances/{{image}}"
NEEDED = {
    ("GET", ROOT): LIST, ("GET", "/dicom-web/series"): LIST, ("GET", "/dicom-web/instances"): LIST,
    ("GET", f"{ROOT}/{{study}}/series"): LIST, ("GET", f"{ROOT}/{{study}}/instances"): LIST,
    ("GET", f"{ROOT}/{{study}}/series/{{series}}/instances"): LIST,
    ("GET", f"{ROOT}/{{study}}"): IMAGES, ("GET", f"{ROOT}/{{study}}/series/{{series}}"): IMAGES,
    ("GET", IMAGE): IMAGES,
    ("GET", f"{ROOT}/{{study}}/metadata"): IMAGES, ("GET", f"{ROOT}/{{study}}/series/{{series}}/metadata"): IMAGES,
    ("GET", f"{IMAGE}/metadata"): IMAGES, ("GET", f"{IMAGE}/frames/{{frames}}"): IMAGES,
    ("GET", f"{IMAGE}/bulkdata/{{tag}}"): IMAGES, ("GET", f"{IMAGE}/rendered"): IMAGES,
    ("GET", f"{IMAGE}/frames/{{frame}}/rendered"): IMAGES,
    ("POST", ROOT): STORE, ("POST", f"{ROOT}/{{study}}"): STORE,
}  # fmt: skip
"""What each route asks for; a route that is not here fails the test."""


@pytest.fixture
def settings(tmp_path):
    return Settings(tmp_path / "home", SettingsFile())


@pytest.fixture
def services(engine, settings):
    return services_on(engine, settings)


@pytest.fixture
def app(services, settings):
    return create_app(services, web_settings(settings))


@pytest.fixture
def url(app):
    with running(app) as address:
        yield address


@pytest.fixture
def web(url, services):
    """A client that may do everything."""
    return DICOMwebClient(f"{url}/dicom-web", headers=with_role(services, Role.ADMIN))


@pytest.fixture
def raw(url, services):
    with httpx.Client(base_url=f"{url}/dicom-web", headers=with_role(services, Role.ADMIN)) as client:
        yield client


@pytest.fixture
def head(tmp_path):
    return [dcmread(file) for file in write_head_ct(tmp_path / "head", seed=3, bleed=False)[:4]]


def related(*parts, boundary="b0", end=b"\r\n--b0--\r\n", media="application/dicom"):
    head = f"\r\n--{boundary}\r\nContent-Type: {media}\r\n\r\n".encode()
    return b"".join(head + part for part in parts) + end


def as_file(dataset):
    written = BytesIO()
    dcmwrite(written, dataset, enforce_file_format=True)
    return written.getvalue()


def post(raw, body, path="/studies", boundary="b0"):
    content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'
    return raw.post(path, content=body, headers={"Content-Type": content_type, "Accept": "application/dicom+json"})


def data_set_of(content):
    return content[144 + int.from_bytes(content[140:144], "little") :]


def failures(answer, sequence="00081198"):
    return [one["00081197"]["Value"][0] for one in answer.json()[sequence]["Value"]]


def test_what_a_client_stores_is_on_disk_byte_for_byte_and_comes_back_the_same(web, head, engine, services):
    answer = web.store_instances(head)

    kept = {one["sop_instance_uid"]: one for one in list_instances(engine)}
    image = head[2]
    sent = data_set_of(as_file(image))
    one = kept[image.SOPInstanceUID]
    back = web.retrieve_instance(image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID)
    assert len(answer.ReferencedSOPSequence) == len(kept) == len(head)
    assert "FailedSOPSequence" not in answer
    assert (one["sha256"], one["size"]) == (hashlib.sha256(sent).hexdigest(), len(sent))
    assert data_set_of(as_file(back)) == sent
    assert len(web.retrieve_series(image.StudyInstanceUID, image.SeriesInstanceUID)) == len(head)
    assert len(list(web.iter_study(image.StudyInstanceUID))) == len(head)
    stored = [one.event for one in services.audit.newest(20) if one.event.action.value == "images_stored"]
    assert [event.details for event in stored] == [{"stored": "4", "refused": "0"}]


def test_studies_series_and_instances_are_found_by_their_attributes(web, head, raw):
    web.store_instances(head)
    first, study = head[0], head[0].StudyInstanceUID
    day = first.StudyDate

    def studies(**filters):
        return [one["0020000D"]["Value"][0] for one in web.search_for_studies(search_filters=filters)]

    family = str(first.PatientName).split("^")[0].lower()
    for found in (
        studies(), studies(PatientName=f"{family}*"), studies(PatientID=first.PatientID), studies(StudyDate=f"-{day}"),
        studies(StudyDate=f"{day}-"), studies(ModalitiesInStudy="CT"), studies(StudyInstanceUID=f"1.2,{study}"),
    ):  # fmt: skip
        assert found == [study]
    for nothing in (
        studies(PatientName=family), studies(PatientID="%"), studies(PatientID="_" * len(first.PatientID)),
        studies(StudyDate="19000101-19000102"), studies(ModalitiesInStudy="MR"),
        studies(AccessionNumber="x' OR '1'='1"),
    ):  # fmt: skip
        assert nothing == []
    (series,) = web.search_for_series(study, search_filters={"Modality": "CT"})
    numbers = [one["00200013"]["Value"][0] for one in web.search_for_instances(study, limit=2, offset=1)]
    (one,) = web.search_for_instances(search_filters={"SOPInstanceUID": first.SOPInstanceUID})
    assert series["00201209"]["Value"] == [len(head)]
    assert len(numbers) == 2
    assert one["00081190"]["Value"][0].endswith(f"/instances/{first.SOPInstanceUID}")
    more = raw.get("/instances", params={"limit": 1})
    assert "additional results" in more.headers["Warning"]
    assert more.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/studies?Unknown=1", 400), ("/studies?SeriesNumber=1", 400), ("/studies?limit=-1", 400),
        ("/studies?limit=x", 400), ("/studies?StudyDate=today", 400), ("/studies?fuzzymatching=maybe", 400),
        ("/studies?PatientName=%00", 400), ("/studies?PatientName=nobody", 204), ("/studies/1.2.3", 404),
        ("/studies/1.2.3/metadata", 404), ("/studies/1.2.3/series", 204), ("/studies/abc/series", 400),
    ],
)  # fmt: skip
def test_a_wrong_question_is_told_and_an_empty_answer_is_empty(raw, path, status):
    assert raw.get(path).status_code == status


def test_fuzzy_matching_is_done_literally_and_said_so(web, head, raw):
    web.store_instances(head)

    answer = raw.get("/studies", params={"fuzzymatching": "true"})

    assert (answer.status_code, "Only literal matching" in answer.headers["Warning"]) == (200, True)


def test_metadata_frames_and_pictures_are_those_of_the_stored_image(web, head, raw):
    web.store_instances(head)
    image = head[1]
    uids = (image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID)
    path = "/studies/{}/series/{}/instances/{}".format(*uids)

    told = web.retrieve_instance_metadata(*uids)
    (frame,) = web.retrieve_instance_frames(*uids, frame_numbers=[1])
    bulk = raw.get(path + "/bulkdata/7FE00010")
    picture = Image.open(
        BytesIO(raw.get(path + "/rendered?window=40,80,linear", headers={"Accept": "image/png"}).content)
    )
    jpeg = raw.get(path + "/frames/1/rendered")

    assert told["00100010"]["Value"][0]["Alphabetic"] == str(image.PatientName)
    assert told["7FE00010"]["BulkDataURI"].endswith(path + "/bulkdata/7FE00010")
    assert frame == image.PixelData
    assert image.PixelData in bulk.content
    assert (picture.format, picture.size, jpeg.headers["content-type"]) == ("PNG", (512, 512), "image/jpeg")
    assert raw.get(path + "/frames/2").status_code == 404
    assert raw.get(path, headers={"Accept": "image/png"}).status_code == 406
    assert raw.get(path + "/rendered?window=x").status_code == 400
    big_endian = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.2'
    assert raw.get(path, headers={"Accept": big_endian}).status_code == 406


def test_compressed_frames_come_as_they_are_stored_or_decoded(web, raw):
    source = dcmread(get_testdata_file("MR_small_RLE.dcm"))
    web.store_instances([source])
    series = f"/studies/{source.StudyInstanceUID}/series/{source.SeriesInstanceUID}"
    path = f"{series}/instances/{source.SOPInstanceUID}/frames/1"

    def frame(media):
        answer = raw.get(path, headers={"Accept": f'multipart/related; type="{media}"'})
        return answer.content.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]

    decoded = np.frombuffer(frame("application/octet-stream"), "<i2").reshape(source.Rows, source.Columns)
    assert np.array_equal(decoded, source.pixel_array)
    assert frame("image/dicom-rle").rstrip(b"\0") in source.PixelData
    assert raw.get(path, headers={"Accept": 'multipart/related; type="image/jpeg"'}).status_code == 406


def routes_of(app):
    under = [one for one in flattened(app.routes) if "/dicom-web" in getattr(one, "path", "")]
    return {(method, one.path) for one in under for method in one.methods}


def ask(client, method, path, headers=None):
    names = {"study": "1.2", "series": "1.3", "image": "1.4", "frames": "1", "frame": 1, "tag": "7FE00010"}
    return client.request(method, path.format(**names), headers=headers).status_code


def test_every_route_lets_in_who_is_granted_and_nobody_else(app, url, services):
    assert routes_of(app) == set(NEEDED)
    with httpx.Client(base_url=url, headers={"Origin": url}) as client:
        assert {ask(client, *route) for route in NEEDED} == {401}
        for role in Role:
            answers = {route: ask(client, *route, with_role(services, role)) for route in NEEDED}
            let_in = {route for route, status in answers.items() if status not in (401, 403)}
            assert let_in == {route for route, needed in NEEDED.items() if needed in PERMISSIONS[role]}


def test_an_instance_of_another_study_is_refused_and_the_others_are_kept(raw, head, engine):
    other = dcmread(BytesIO(as_file(head[1])))
    other.StudyInstanceUID = "2.25.77"

    answer = post(raw, related(as_file(head[0]), as_file(other)), f"/studies/{head[0].StudyInstanceUID}")

    assert (answer.status_code, failures(answer)) == (202, [0xA900])
    assert [one["sop_instance_uid"] for one in list_instances(engine)] == [head[0].SOPInstanceUID]


def test_a_part_that_is_no_dicom_file_is_refused_and_the_next_one_is_kept(raw, head, engine):
    cut_off = as_file(head[1])[:3000]

    answer = post(raw, related(b"hello", cut_off, as_file(head[0])))

    assert (answer.status_code, failures(answer, "0008119A"), failures(answer)) == (202, [0xC000], [0xC000])
    assert [one["sop_instance_uid"] for one in list_instances(engine)] == [head[0].SOPInstanceUID]


def test_a_body_that_ends_too_early_keeps_what_was_whole_and_never_the_rest(raw, head, engine, settings):
    whole, cut = as_file(head[0]), as_file(head[1])

    answer = post(raw, related(whole, cut[: len(cut) // 2], end=b""))

    assert (answer.status_code, failures(answer, "0008119A")) == (202, [0xC000])
    assert [one["sop_instance_uid"] for one in list_instances(engine)] == [head[0].SOPInstanceUID]
    assert list((settings.home / "spool" / "unfinished").rglob("*.part")) == []


def test_a_sender_that_falls_silent_is_given_up_and_what_was_whole_is_kept(raw, head, engine, monkeypatch):
    monkeypatch.setattr("worklist.routes.dicomweb_store.IDLE_S", 0.3)
    silence = threading.Event()

    def body():
        yield related(as_file(head[0]), as_file(head[1])[:2000], end=b"")
        silence.wait(3)

    answer = post(raw, body())

    assert (answer.status_code, failures(answer, "0008119A")) == (202, [0xC000])
    assert [one["sop_instance_uid"] for one in list_instances(engine)] == [head[0].SOPInstanceUID]


@pytest.mark.parametrize(
    ("body", "boundary", "status"),
    [(b"", "b0", 400), (related(b"x"), "other", 400), (related(b"x", end=b""), "b0", 400), (related(b"x"), "b0", 409)],
)
def test_a_body_with_nothing_to_keep_is_an_error(raw, engine, body, boundary, status):
    assert post(raw, body, boundary=boundary).status_code == status
    assert list_instances(engine) == []


def test_another_content_type_is_refused(raw):
    assert raw.post("/studies", content=b"x", headers={"Content-Type": "application/dicom"}).status_code == 415


def test_a_hundred_megabytes_pass_without_being_held_in_memory(raw, head, engine):
    image = head[0]
    image.PixelData, image.NumberOfFrames = b"", 1
    start, piece = as_file(image), bytes(1 << 20)
    length = len(piece) * 100
    head_of_pixels = b"\xe0\x7f\x10\x00OW\x00\x00"
    start = start[: start.rindex(head_of_pixels)] + head_of_pixels + length.to_bytes(4, "little")

    def body():
        yield related(start, end=b"")
        for _ in range(100):
            yield piece
        yield b"\r\n--b0--\r\n"

    tracemalloc.start()
    answer = post(raw, body())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    (kept,) = list_instances(engine)
    assert (answer.status_code, kept["size"]) == (200, len(data_set_of(start)) + length)
    assert peak < 16 * (1 << 20)


def test_a_full_disk_asks_to_come_again_and_keeps_nothing(engine, settings, tmp_path, head):
    full = Settings(settings.home, SettingsFile.model_validate({"storage": {"min_free_gb": 1e9}}))
    services = services_on(engine, full)
    with running(create_app(services, web_settings(full))) as url, httpx.Client(
        base_url=f"{url}/dicom-web", headers=with_role(services, Role.OPERATOR)
    ) as raw:  # fmt: skip
        answer = post(raw, related(as_file(head[0])))

    assert (answer.status_code, failures(answer), answer.headers["Retry-After"]) == (503, [0xA700], "30")
    assert list_instances(engine) == []
    assert list((settings.home / "spool").rglob("*.dcm")) == []
