"""Outlines on their whole way: images sent by DCMTK, masks on them, SR and SEG in Orthanc and in the simulated PACS."""

import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import segread
from highdicom.sr import ValueTypeValues
from highdicom.sr.utils import find_content_items
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from sqlalchemy import text

from dicom_gateway.results.writer import DicomReportWriter
from dicom_gateway.sender import DicomSender
from dicom_gateway.simulator.pacs import SimulatedPacs, stored_objects
from inference.dicom_volume import read_volume
from inference.masks import measurements_of, packed_masks
from storage.work_queue import DELIVERY_TASK
from tests.builders import HEAD_CT, MODEL
from tests.integration.test_sender import Peer, asked, needs, running_orthanc, sender_to
from triage.errors import DestinationUnavailable
from triage.findings import Analysis, Code, Finding, ImageScore, StageSeconds
from triage.identifiers import SopInstanceUid, StudyInstanceUid
from triage.ports import ModelOffer
from triage.priority import Priority, TargetTimes
from triage.selection import Acceptance
from triage.study import Series, StudyStatus
from triage.workflow import Delivery, Triage
from validation.to_dicom import to_dicom

MR = """
name = "bright_spots"
modality = "MR"
body_part = "BRAIN"
task = "FLAIR abnormality"

[columns]
image = "image"
study = "patient"
order = "slice"
image_label = "abnormal"
"""
US = MR.replace('"MR"', '"US"').replace('"BRAIN"', '"BREAST"').replace('order = "slice"\n', "").replace("FLAIR ", "")
LESION = Code("52988006", "SCT", "Lesion")
BRIGHT = 200
SPOTS = {1: (slice(10, 30), slice(20, 44)), 2: (slice(12, 20), slice(30, 41))}
"""Where the lesion is bright, by slice; slice 3 has none."""


@dataclass
class BrightPixels:
    """Outlines what is bright on the images that were received, read and measured as models do."""

    accepts: Acceptance
    outlined: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def offers(self):
        return (ModelOffer(MODEL, self.accepts, "bright spots"),)

    def analyse(self, model, series: Series) -> Analysis:
        volume = read_volume(series)
        masks = volume.values >= BRIGHT
        self.outlined = dict(zip(map(str, volume.sop_instance_uids), masks, strict=True))
        finding = Finding(
            code=Code("300577008", "SCT", "Finding of lesion"),
            probability=0.9,
            threshold=0.5,
            operating_point="balanced",
            raises_to=Priority.URGENT,
            model=model,
            image_scores=tuple(ImageScore(uid, 0.9) for uid in volume.sop_instance_uids),
            measurements=measurements_of(masks, volume.spacing_mm, even=True),
            masks=packed_masks(masks, volume),
            segmented=LESION,
        )
        return Analysis(model, series.header.series_instance_uid, "CPU", (finding,), StageSeconds(0.1, 0.1))


@pytest.fixture
def simulated_pacs(tmp_path: Path) -> Iterator[SimulatedPacs]:
    pacs = SimulatedPacs(tmp_path / "simulated-pacs", "PEER", "127.0.0.1", 0)
    pacs.start()
    yield pacs
    pacs.stop()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Peer]:
    with running_orthanc(tmp_path / "orthanc") as peer:
        yield peer


def drawn(folder: Path, toml: str) -> Path:
    """Write three images of one patient with bright spots on two of them, and return the folder."""
    (folder / "images").mkdir(parents=True)
    (folder / "dataset.toml").write_text(toml)
    lines = ["image,patient,slice,abnormal"]
    for number in (1, 2, 3):
        pixels = np.random.default_rng(number).integers(0, 100, (50, 70)).astype(np.uint8)
        if number in SPOTS:
            pixels[SPOTS[number]] = 240
        Image.fromarray(pixels).save(folder / f"images/{number}.png")
        lines.append(f"images/{number}.png,p,{number},{int(number in SPOTS)}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def planned(engine) -> list[tuple[str, str]]:
    """Return object and destination of each delivery job, in the order in which they were deferred."""
    with engine.connect() as connection:
        query = text("SELECT args FROM procrastinate_jobs WHERE task_name = :task ORDER BY id")
        rows = connection.execute(query, {"task": DELIVERY_TASK})
        return [(row.args["sop_instance_uid"], row.args["destination"]) for row in rows]


@needs("Orthanc")
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("toml", "modality", "measured"),
    [
        # Pixels of 240/70 mm, slices 5 mm apart: the diagonal over 19 by 23 pixels, and 480 + 88 pixels of 58.8 mm3.
        (MR, "MR", {"Long Axis": "102.3", "Volume": "33.38"}),
        (US, "US", {}),
    ],
)
def test_what_is_outlined_arrives_once_with_its_report_and_reads_back_the_same(
    start_receiver, receiving, dcmtk, clock, transactions, engine, tmp_path, simulated_pacs, archive, toml, modality,
    measured,
) -> None:  # fmt: skip
    dicom = tmp_path / "dicom"
    to_dicom(drawn(tmp_path / modality.lower(), toml), dicom, lambda done, of: None)
    sent = dcmtk("storescu", "+sd", "+r", "127.0.0.1", start_receiver().port, dicom / "studies")
    assert sent.returncode == 0, sent.stderr
    clock.forward(seconds=6)
    (study,) = receiving.close_quiet_studies()
    analyser = BrightPixels(replace(HEAD_CT, **accepting(modality)))
    Triage(transactions, clock, analyser, TargetTimes()).triage_study(study, 1)
    here = replace(archive.destination, name="simulated", port=simulated_pacs.port, send=frozenset({"sr", "seg"}))
    orthanc = replace(archive.destination, name="orthanc", send=frozenset({"seg"}))
    sender = DicomSender((here, orthanc), "ACUITY", sender_to(orthanc).limits)
    delivery = Delivery(transactions, clock, DicomReportWriter(tmp_path / "results", "0.1.0"), sender)

    delivery.write_reports(study, 1)
    delivery.write_reports(study, 1)
    jobs = planned(engine)
    away = Delivery(transactions, clock, delivery.writer, DicomSender((replace(here, port=9),), "ACUITY"))
    with pytest.raises(DestinationUnavailable):
        away.deliver_result(SopInstanceUid(jobs[0][0]), "simulated")
    for uid, destination in [*jobs, *jobs]:
        delivery.deliver_result(SopInstanceUid(uid), destination)

    assert [destination for _, destination in jobs] == ["simulated", "simulated", "orthanc"]
    assert state_of(transactions, study) is StudyStatus.DELIVERED
    kept = {dcmread(path).Modality: path for path in stored_objects(tmp_path / "simulated-pacs")}
    assert set(kept) == {"SR", "SEG"}
    assert {
        name: value for name, value in numbers_of(kept["SR"]).items() if name in ("Long Axis", "Volume")
    } == measured
    require_same_pixels(BytesIO(kept["SEG"].read_bytes()), analyser.outlined)
    (instance,) = asked(archive, "/instances")
    with urllib.request.urlopen(f"{archive.http}/instances/{instance}/file", timeout=10) as response:
        require_same_pixels(BytesIO(response.read()), analyser.outlined)


def accepting(modality: str) -> dict[str, object]:
    anything = {"body_parts": (), "min_slices": 1, "min_extent_mm": 0.0, "slice_spacing_mm": None, "min_rows": 1}
    return {"modalities": (modality,), "orientation": "", **anything}


def state_of(transactions, study: StudyInstanceUid) -> StudyStatus:
    with transactions.begin() as records:
        return records.studies.get(study).status


def numbers_of(report: Path) -> dict[str, str]:
    """Return the numbers of a report by what they say."""
    items = find_content_items(dcmread(report), value_type=ValueTypeValues.NUM, recursive=True)
    return {
        item.ConceptNameCodeSequence[0].CodeMeaning: str(item.MeasuredValueSequence[0].NumericValue) for item in items
    }


def require_same_pixels(file: BytesIO, outlined: dict[str, NDArray[np.bool_]]) -> None:
    """Require that the segmentation holds exactly `outlined`, and only the images with pixels as frames."""
    held = segread(file)
    read = held.get_pixels_by_source_instance(list(outlined), [1], assert_missing_frames_are_empty=True)
    np.testing.assert_array_equal(read[..., 0].astype(bool), list(outlined.values()))
    assert held.NumberOfFrames == len(SPOTS)
    assert np.count_nonzero(held.pixel_array) == 20 * 24 + 8 * 11
