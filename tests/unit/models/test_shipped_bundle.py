"""The bundle that ships: complete, honest about its figures, and its weights do what the card says."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from inference.postprocess import findings_from
from inference.preprocess import prepare
from models.bundle import Bundle
from models.registry import find_bundle
from tests.unit.models.drawn_head import as_volume, draw_head
from triage.findings import Finding


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return find_bundle("ct-head-haemorrhage")


@pytest.fixture(scope="module")
def session(bundle: Bundle) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(bundle.onnx_path), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def card(bundle: Bundle) -> str:
    return (bundle.folder / "docs/README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def report(bundle: Bundle) -> dict[str, dict]:  # type: ignore[type-arg]
    return json.loads((bundle.folder / "docs/figures.json").read_text(encoding="utf-8"))


def analyse(values: np.ndarray, bundle: Bundle, session: onnxruntime.InferenceSession) -> Finding:
    volume = as_volume(values)
    prepared = prepare(volume, bundle.spec)
    names = [output.name for output in session.get_outputs()]
    outputs = dict(zip(names, session.run(names, {"image": prepared.tensor}), strict=True))
    return findings_from(outputs, prepared, volume, bundle.spec, bundle.identity)[0]


def shown(estimate: dict) -> str:  # type: ignore[type-arg]
    return f"{estimate['value']:.3f} ({estimate['ci95'][0]:.3f} to {estimate['ci95'][1]:.3f})"


def test_the_weights_are_in_one_file_of_one_to_ten_megabytes(bundle: Bundle) -> None:
    assert [path.name for path in bundle.onnx_path.parent.iterdir()] == ["model.onnx"]
    assert 1e6 < bundle.onnx_path.stat().st_size < 10e6


def test_the_weights_tell_nothing_about_the_machine_that_trained_them(bundle: Bundle) -> None:
    assert b"site-packages" not in bundle.onnx_path.read_bytes()


def test_any_number_of_slices_goes_in_and_as_many_answers_come_out(session: onnxruntime.InferenceSession) -> None:
    names = ["logits", "subtype_logits", "map", "embedding"]

    for slices in (1, 3):
        answers = session.run(names, {"image": np.zeros((slices, 5, 192, 192), dtype=np.float32)})

        assert [one.shape[0] for one in answers] == [slices] * 4
        assert [one.shape[1:] for one in answers[:3]] == [(1,), (5,), (48, 48)]


def test_the_logit_of_a_slice_rests_on_the_peak_of_its_map(
    session: onnxruntime.InferenceSession,
) -> None:
    image = np.random.default_rng(0).normal(0, 1, (2, 5, 192, 192)).astype(np.float32)

    logits, maps = session.run(["logits", "map"], {"image": image})

    highest = np.sort(maps.reshape(2, -1), axis=1)[:, -8:].mean(axis=1)
    # The mean of five networks' peaks is never below the peak of their mean map, and near it where they agree.
    assert np.all(logits[:, 0] >= highest - 1e-4)
    assert logits[:, 0] == pytest.approx(highest, abs=1.0)


def test_a_drawn_bleed_scores_higher_than_the_same_head_without(
    bundle: Bundle, session: onnxruntime.InferenceSession
) -> None:
    with_bleed = analyse(draw_head(bleed=True), bundle, session)
    without = analyse(draw_head(bleed=False), bundle, session)

    assert with_bleed.probability > without.probability + 0.1
    brightest = max(with_bleed.image_scores, key=lambda score: score.probability)
    assert brightest.sop_instance_uid in {"1.2.5", "1.2.6", "1.2.7", "1.2.8"}  # the slices that bleed


def test_a_box_covers_the_drawn_bleed(bundle: Bundle, session: onnxruntime.InferenceSession) -> None:
    finding = analyse(draw_head(bleed=True), bundle, session)

    assert finding.flagged
    left, top, right, bottom = finding.regions[0].box
    # The ball is drawn 30 mm to the right of the middle of a 256 mm image: column 158, row 128.
    assert left < 158 < right
    assert top < 128 < bottom


def test_the_same_volume_gets_the_same_answer(bundle: Bundle, session: onnxruntime.InferenceSession) -> None:
    values = draw_head(bleed=True)

    assert analyse(values, bundle, session) == analyse(values, bundle, session)


def test_the_card_quotes_the_figures_that_the_recipe_wrote(card: str, report: dict[str, dict]) -> None:  # type: ignore[type-arg]
    figures = report["figures"]

    assert f"| slice AUC | {shown(figures['slice_auc'])} |" in card
    assert f"| study AUC | {shown(figures['study_auc'])} |" in card
    assert f"| Brier score, slices | {figures['slice_brier']:.3f} |" in card
    assert f"| Brier score, studies | {figures['study_brier']:.3f} |" in card
    for one in figures["at_thresholds"]:
        assert (
            f"| {one['point']['threshold']:.3f} | {shown(one['sensitivity'])} | {shown(one['specificity'])} |" in card
        )
    for one in figures["subtypes"]:
        assert f"| {one['subtype']} | {one['slices']} | {one['patients']} | {shown(one['slice_auc'])} |" in card
    for shortcut in report["shortcuts"].values():
        assert f", slice AUC | {shortcut:.3f} |" in card
    assert f"{report['parity']['max_abs_difference']:.1e}" in card
    assert f"`{report['command']}`" in card


def test_the_spec_uses_the_thresholds_and_the_pooling_that_were_measured(
    bundle: Bundle,
    report: dict[str, dict],  # type: ignore[type-arg]
) -> None:
    measured = {one["point"]["name"]: one["point"]["threshold"] for one in report["figures"]["at_thresholds"]}

    assert {point.name: point.threshold for point in bundle.spec.operating_points} == measured
    assert bundle.spec.aggregation.smooth_slices == report["aggregation"]["smooth_slices"]
    assert bundle.spec.aggregation.top_slices == report["aggregation"]["top_slices"]


def test_torch_and_onnx_runtime_agreed_on_real_slices(report: dict[str, dict]) -> None:  # type: ignore[type-arg]
    assert report["parity"]["max_abs_difference"] <= 1e-4
    assert report["parity"]["slices"] >= 100


def test_the_card_names_the_weights_beside_it(bundle: Bundle, card: str) -> None:
    assert hashlib.sha256(bundle.onnx_path.read_bytes()).hexdigest() in card


@pytest.mark.parametrize("phrase", ["Research use only", "Not a medical device", "doi 10.13026/w8q8-ky94", "CC BY 4.0"])
def test_the_card_says_what_it_must(card: str, phrase: str) -> None:
    assert phrase in card


def test_nothing_in_the_bundle_names_a_folder_of_a_machine(bundle: Bundle) -> None:
    for path in bundle.folder.rglob("*"):
        if path.is_file():
            assert not [word for word in (b"/home/", b"/work/", b"/root/", b"/tmp/") if word in path.read_bytes()], path


def test_monai_runs_the_inference_config(bundle: Bundle, tmp_path: Path) -> None:
    monai_bundle = pytest.importorskip("monai.bundle")
    image = np.zeros((2, 5, 192, 192), dtype=np.float32)
    np.save(tmp_path / "image.npy", image)

    parser = monai_bundle.ConfigParser()
    parser.read_config(bundle.folder / "configs/inference.json")
    parser["bundle_root"] = str(bundle.folder)
    parser["image"] = str(tmp_path / "image.npy")
    parser["output"] = str(tmp_path / "output.npz")
    parser.get_parsed_content("run")

    with np.load(tmp_path / "output.npz") as answers:
        assert answers["logits"].shape == (2, 1)


def test_two_real_patients_come_out_in_the_right_order(
    bundle: Bundle, session: onnxruntime.InferenceSession, shared_data: Path
) -> None:
    """A check of the serving path, not a figure.

    Four of the five networks have seen each of these patients, and both were clear out of fold.
    """
    bleeding = analyse(read_patient(shared_data / "ct_ich", "087"), bundle, session)
    other = analyse(read_patient(shared_data / "ct_ich", "121"), bundle, session)

    assert bleeding.flagged
    assert not other.flagged


def read_patient(folder: Path, patient: str) -> np.ndarray:
    """Return the slices of a patient in HU: an 8-bit value v stands for -20 + v * 120 / 255 HU."""
    planes = []
    for path in sorted((folder / "images").glob(f"p{patient}_s*.jpg")):
        with Image.open(path) as image:
            planes.append(np.asarray(image.convert("L"), dtype=np.float32))
    return np.stack(planes) * np.float32(120 / 255) - np.float32(20)
