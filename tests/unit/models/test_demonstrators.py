"""The demonstrators: they see what the simulator draws and nothing else, find it, and say that it means nothing."""

import json
from pathlib import Path

import pytest

from deploy.file_headers import header_of_file
from dicom_gateway.simulator.modality import SimulatedStudy, SimulationPlan, simulated_studies
from inference.analyser import BundleAnalyser
from inference.runtime import ProviderPolicy
from models.bundle import Bundle
from models.registry import bundle_places, find_bundle
from triage.findings import Analysis
from triage.identifiers import Sha256
from triage.selection import reason_against, select_series
from triage.study import Series, StoredFile

MODALITY = {"us-phantom-lesion": "us", "mr-phantom-flair": "mr", "xr-phantom-opacity": "dx"}
SEED = 4051
"""Of studies that no network was fitted to: the data sets were drawn with another one."""


@pytest.fixture(scope="module", params=sorted(MODALITY))
def bundle(request) -> Bundle:
    return find_bundle(request.param)


@pytest.fixture(scope="module")
def studies(bundle: Bundle) -> list[SimulatedStudy]:
    """Three studies with a lesion and three without."""
    plans = [SimulationPlan((MODALITY[bundle.spec.name],), 3, rate, SEED, 0.0) for rate in (1.0, 0.0)]
    return [study for plan in plans for study in simulated_studies(plan)]


def series_of(study: SimulatedStudy, folder: Path) -> list[Series]:
    """Return the series of a study from its files, as the gateway would have read their headers."""
    found: dict[str, list[Path]] = {}
    for number, image in enumerate(study.images):
        path = folder / f"{number:03}.dcm"
        image.save_as(path, enforce_file_format=True)
        found.setdefault(image.SeriesInstanceUID, []).append(path)
    return [read_series(files) for files in found.values()]


def read_series(files: list[Path]) -> Series:
    headers = [header_of_file(path) for path in files]
    stored = tuple(
        StoredFile(Sha256("0" * 64), path.stat().st_size, str(path), "1.2.840.10008.1.2.1") for path in files
    )
    images = tuple(header.image for header in headers)
    return Series(headers[0].series, headers[0].study.study_description, images, stored)


@pytest.fixture(scope="module")
def answers(bundle: Bundle, studies: list[SimulatedStudy], tmp_path_factory) -> list[tuple[SimulatedStudy, Analysis]]:
    analyser = BundleAnalyser([bundle], ProviderPolicy.CPU_ONLY, threads=1)
    answered = []
    for study in studies:
        chosen = select_series(series_of(study, tmp_path_factory.mktemp("study")), bundle.spec.accepts).chosen
        assert chosen is not None
        answered.append((study, analyser.analyse(bundle.identity, chosen)))
    return answered


def test_drawn_lesions_are_flagged_and_drawings_without_one_are_not(answers):
    assert [analysis.out_of_scope for _, analysis in answers] == [None] * len(answers)
    assert [analysis.findings[0].flagged for _, analysis in answers] == [study.has_lesion for study, _ in answers]


def test_a_flag_points_at_the_lesion_outlines_it_and_raises_no_higher_than_urgent(answers):
    flagged = [analysis.findings[0] for study, analysis in answers if study.has_lesion]

    assert all(finding.regions for finding in flagged)
    assert all(finding.raises_to.name == "URGENT" for finding in flagged)
    assert all(finding.masks for finding in flagged)


def test_no_model_for_patients_sees_a_drawing_and_no_demonstrator_sees_a_patient(bundle, studies, tmp_path):
    ours = set(MODALITY) | {"ct-head-haemorrhage"}  # which is measured on drawn heads, too, and looks at them
    for_patients = [place.load() for place in bundle_places() if place.name not in ours]
    drawn = series_of(studies[0], tmp_path)
    for image in studies[0].images:
        image.Manufacturer = "GE MEDICAL SYSTEMS"
    (tmp_path / "real").mkdir()
    real = series_of(studies[0], tmp_path / "real")

    assert len(for_patients) == 3
    assert all(reason_against(one, other.spec.accepts) for one in drawn for other in for_patients)
    assert any(select_series(real, other.spec.accepts).chosen for other in for_patients)
    assert {reason_against(one, bundle.spec.accepts) for one in real} == {
        "made by GE MEDICAL SYSTEMS, needed Acuity Simulator"
    }


def test_each_has_a_task_of_its_own_and_says_what_it_is_wherever_it_is_named(bundle):
    tasks = [place.load().spec.task for place in bundle_places()]
    card = (bundle.folder / "docs/README.md").read_text(encoding="utf-8")

    assert len(set(tasks)) == len(tasks)
    assert bundle.spec.task.startswith("demonstration: drawn ")
    assert bundle.spec.code.scheme == "99ACUITY"
    assert bundle.spec.code.meaning.startswith("Drawn ")
    assert bundle.spec.code.meaning.endswith(" (demonstration)")
    assert "DEMONSTRATOR WITHOUT CLINICAL MEANING" in card
    assert "Research use only. Not a medical device." in card


def test_it_is_small_and_tells_nothing_about_a_machine(bundle):
    assert bundle.onnx_path.stat().st_size < 1_000_000
    for path in bundle.folder.rglob("*"):
        if path.is_file():
            assert not [word for word in (b"/home/", b"/work/", b"/root/", b"/tmp/") if word in path.read_bytes()], path


def test_the_card_quotes_the_figures_that_the_recipe_wrote(bundle):
    report = json.loads((bundle.folder / "docs/figures.json").read_text(encoding="utf-8"))
    card = (bundle.folder / "docs/README.md").read_text(encoding="utf-8")

    area = report["figures"]["study_auc"]
    assert f"| study AUC | {area['value']:.3f} ({area['ci95'][0]:.3f} to {area['ci95'][1]:.3f}) |" in card or (
        report["figures"]["studies"] == report["figures"]["labelled_images"]
    )
    assert f"| image AUC | {report['figures']['image_auc']['value']:.3f} (" in card
    assert f"`{report['command']}`" in card
    assert report["parity"]["max_abs_difference"] < 1e-3
