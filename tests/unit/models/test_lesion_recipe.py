"""The planar recipes: what is fitted equals what is served, a tiny run writes a whole bundle, a second run resumes."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("monai")

import torch

from deploy.file_headers import header_of_file
from inference.postprocess import calibrated
from inference.preprocess import prepare
from inference.volume import Volume
from models.bundle import load_bundle
from models.training import left_out
from models.training.cli import RECIPES
from models.training.left_out import left_out_figures
from models.training.lesion_augmentation import Variation, varied
from models.training.lesion_bundle import triage_spec
from models.training.lesion_figures import area
from models.training.lesion_fit import batch_of, fit, network_input
from models.training.lesion_folds import cross_validate, folds_of
from models.training.lesion_images import read_grey, read_image_set
from models.training.lesion_network import LesionNetwork
from models.training.lesion_recipe import LeavingOut
from models.training.lesion_training import LesionRequest, train_lesions
from models.training.mr_brain_flair import RECIPE as MR
from models.training.planar_network import network_of
from models.training.transfer_network import TransferPlan, share_published
from models.training.us_breast_lesion import RECIPE as US
from models.training.xr_chest_opacity import RECIPE as XR
from models.triage_spec import Calibration, LogisticCurve, OperatingPoint
from tests.builders import MORNING
from triage.errors import InvalidDataset
from triage.identifiers import SopInstanceUid
from validation.run import ValidationRequest, validate

US_TOML = """name = "drawn"
modality = "US"
body_part = "BREAST"
task = "malignant breast lesion"
licence = "none"
citation = "none"
[columns]
image = "image"
study = "patient"
image_label = "malignant"
mask = "mask"
[stored_values]
slope = 1.0
intercept = 0.0
unit = "grey"
"""
MR_TOML = """name = "drawn"
[columns]
image = "image"
study = "patient"
order = "slice"
mask = "mask"
"""


def write_image(path: Path, values) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(path)


@pytest.fixture
def us_set(tmp_path):
    """Twenty-four stills of sixteen patients: a dark disc in grain, ragged and taller where it is malignant."""
    random, folder, rows = np.random.default_rng(4), tmp_path / "drawn", []
    for number in range(24):
        patient, malignant = number % 16, number % 16 % 2
        row, column = np.mgrid[0:130, 0:150]
        disc = np.hypot((row - 60) / (1.4 if malignant else 0.8), column - 75 + number) < 22
        folder.mkdir(exist_ok=True)
        write_image(folder / f"images/{number}.png", 120 - 80 * disc + random.normal(0, 20, disc.shape))
        write_image(folder / f"masks/{number}.png", 255 * disc)
        rows.append(
            {
                "image": f"images/{number}.png",
                "mask": f"masks/{number}.png",
                "patient": f"p{patient}",
                "malignant": malignant,
                "birads": 4 + malignant if malignant else 2,
                "device": "A" if number % 3 else "B",
                "fold": patient % 4 // 2 + 1,
            }
        )
    return described(folder, US_TOML, rows)


@pytest.fixture
def mr_set(tmp_path):
    """Three patients of five slices, named so that text order is not slice order."""
    folder, rows = tmp_path / "drawn", []
    folder.mkdir()
    for number in range(15):
        patient, place = number // 5, (number * 2) % 5 + 9
        lesion = place == 11
        row, column = np.mgrid[0:100, 0:100]
        values = 60.0 * (np.hypot(row - 50, column - 50) < 40) + 10 * place
        disc = (np.hypot(row - 40, column - 60) < 12) & lesion
        write_image(folder / f"images/{patient}_{place}.png", values + 100 * disc)
        if lesion:
            write_image(folder / f"masks/{patient}_{place}.png", 255 * disc)
        rows.append(
            {
                "image": f"images/{patient}_{place}.png",
                "mask": f"masks/{patient}_{place}.png" if lesion else "",
                "patient": f"p{patient}",
                "slice": place,
                "abnormal": int(lesion),
            }
        )
    return described(folder, MR_TOML, rows)


def described(folder: Path, toml: str, rows) -> Path:
    (folder / "dataset.toml").write_text(toml, encoding="utf-8")
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return folder


def tiny(recipe, **changes):
    smaller = {"rows": 96} if isinstance(recipe.plan.network, TransferPlan) else {"widths": (4, 6, 8, 12)}
    network = replace(recipe.plan.network, **smaller)
    plan = replace(recipe.plan, network=network, epochs=1, images_per_epoch=16, batch_size=8)
    small = replace(recipe.preparation, rows=96, columns=96)
    return replace(recipe, plan=plan, preparation=small, **changes)


def a_spec(recipe):
    curve = LogisticCurve(1.0, 0.0)
    return triage_spec(recipe, Calibration(curve, curve), (OperatingPoint(recipe.active, 0.5),))


def silent(_what):
    return lambda _epoch, _epochs, _loss: None


def test_slices_are_fitted_as_they_are_served(mr_set):
    recipe = tiny(MR)
    images = read_image_set(mr_set, recipe.preparation, recipe.targets)
    fitted = network_input(batch_of(images, np.arange(5), recipe.preparation)[0], recipe.preparation).numpy()
    volume = Volume(
        np.stack([read_grey(path) for path in images.files[:5]]),
        "stored",
        (5.0, 1.0, 1.0),
        tuple(SopInstanceUid(str(index)) for index in range(5)),
        (None,) * 5,
    )

    served = prepare(volume, a_spec(recipe)).tensor

    assert [path.stem for path in images.files[:5]] == [f"0_{place}" for place in range(9, 14)]
    # Planes are kept as float16, about three digits of values between 0 and 1, then divided by the scale.
    np.testing.assert_allclose(fitted, served, atol=3e-3)


def test_a_look_is_learnt_on_published_stages_and_the_map_sums_up_the_answer(us_set):
    recipe = tiny(XR, targets=lambda row: (float(row["malignant"]), *([0.0] * 9)))
    images = read_image_set(us_set, recipe.preparation, recipe.targets)
    chosen, positive = np.arange(len(images)), images.targets[:, 0] == 1
    begun = network_of(recipe.plan.network)

    fitted = fit(images, chosen, recipe.preparation, recipe.plan, "cpu", lambda *_: None).network

    tensor = network_input(batch_of(images, chosen, recipe.preparation)[0], recipe.preparation)
    with torch.inference_mode():
        logits, maps, _ = fitted(tensor)
        said = (fitted.looked_at(tensor) * fitted.look.weight.flatten()).sum(dim=1).numpy()
    assert maps.shape == (24, 1, 6, 6)
    torch.testing.assert_close(maps.mean(dim=(2, 3)), logits[:, :1], atol=1e-4, rtol=1e-4)
    assert said[positive].mean() > said[~positive].mean()
    torch.testing.assert_close(fitted.early.state_dict(), begun.early.state_dict(), atol=0, rtol=0)
    torch.testing.assert_close(fitted.late.state_dict(), begun.late.state_dict(), atol=0, rtol=0)
    assert not torch.equal(fitted.fitted[0].body[0].weight, begun.fitted[0].body[0].weight)


def test_members_that_share_the_published_stages_answer_as_before(us_set):
    recipe = tiny(XR, targets=lambda row: (float(row["malignant"]), *([0.0] * 9)))
    images = read_image_set(us_set, recipe.preparation, recipe.targets)
    one, another = (
        fit(images, np.arange(count), recipe.preparation, recipe.plan, "cpu", lambda *_: None).network
        for count in (len(images), 16)
    )
    tensor = network_input(batch_of(images, np.arange(16), recipe.preparation)[0], recipe.preparation)

    with torch.inference_mode():
        alone = another(tensor)[0]
        share_published([one, another])
        torch.testing.assert_close(another(tensor)[0], alone)

    assert one.early is another.early
    assert one.late is another.late


def test_a_mask_lies_where_the_image_lies(us_set):
    recipe = tiny(US)
    images = read_image_set(us_set, recipe.preparation, recipe.targets)

    dark = images.planes[0].astype(np.float32) < 0.3
    inside = images.lesion[0] > 127

    assert dark[inside].mean() > 0.9
    assert images.lesion_known.all()


def test_an_empty_mask_cell_means_no_lesion(mr_set):
    images = read_image_set(mr_set, tiny(MR).preparation, MR.targets)

    assert (images.lesion.any(axis=(1, 2)) == (images.targets[:, 0] == 1)).all()


def test_a_variation_moves_image_and_lesion_together():
    plane = torch.zeros(8, 1, 64, 64)
    plane[:, :, 20:40, 10:30] = 1.0

    moved, lesion = varied(plane.clone(), plane.clone(), still_toned(), torch.Generator().manual_seed(1))

    assert torch.allclose(moved, lesion, atol=1e-3)
    assert not torch.allclose(moved, plane)


def still_toned():
    return Variation(gamma=0, gain=0, offset=0, noise=0, ramp=0, blurred=0)


def test_words_are_burned_in_and_stay_within_the_grey_scale():
    how = replace(still_toned(), text=1.0, turn=0, zoom=(1, 1), stretch=(1, 1), shift=0, mirrored=False)
    plane = torch.full((4, 1, 96, 96), 0.2)

    written, _ = varied(plane, torch.zeros_like(plane), how, torch.Generator().manual_seed(1))

    assert (written > 0.4).flatten(1).any(dim=1).all()
    assert written.min() >= 0
    assert written.max() <= 1


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_network_answers_with_one_logit_per_label_and_a_map(recipe):
    plan = recipe.plan.network
    rows = recipe.preparation.rows
    network = network_of(plan).eval()

    logits, maps, embedding = network(torch.randn(2, len(recipe.preparation.channels), rows, rows))

    assert logits.shape == (2, len(recipe.labels)) == (2, len(recipe.plan.label_weights))
    assert maps.shape == (2, 1, rows // plan.stride, rows // plan.stride)
    assert embedding.shape == (2, network.embedding_size)


def test_with_the_answer_on_the_map_a_hotter_map_is_a_higher_logit():
    network = LesionNetwork(MR.plan.network).eval()
    image = torch.randn(1, 3, 192, 192)
    before = float(network(image)[0][0, 0].detach())
    torch.nn.init.constant_(network.map.bias, 5.0)

    assert float(network(image)[0][0, 0].detach()) == pytest.approx(before + 8.0, abs=1e-3)


def test_patients_stay_in_one_fold_and_positives_are_spread(mr_set, us_set):
    images = read_image_set(us_set, tiny(US).preparation, US.targets)
    authors = folds_of(US, images)
    dealt = folds_of(replace(US, fold_column="", folds=4), images)

    for folds in (authors, dealt):
        assert all(len(set(folds[images.patients == patient])) == 1 for patient in images.patients)
    positive = images.targets[:, 0] == 1
    assert {int(fold) for fold in dealt[positive]} == {0, 1, 2, 3}


def test_folds_that_divide_a_patient_are_refused(us_set):
    text = (us_set / "labels.csv").read_text(encoding="utf-8").splitlines()
    text[1] = text[1][:-1] + ("2" if text[1].endswith("1") else "1")
    (us_set / "labels.csv").write_text("\n".join(text) + "\n", encoding="utf-8")
    images = read_image_set(us_set, tiny(US).preparation, US.targets)

    with pytest.raises(InvalidDataset, match="p0 in two folds"):
        folds_of(US, images)


def us_images(folder: Path) -> list[Path]:
    return sorted((folder / "images").iterdir())


def validated_probabilities(bundle, data: Path, out: Path) -> dict[str, float]:
    """Return what `acuity validate run` says about every image that the bundle answers on."""
    request = ValidationRequest(bundle, data, out, "cpu", 1, MORNING)
    document = validate(request, header_of_file, lambda _done, _all: None)
    assert document["n_patients_out_of_fold"] == document["n_patients"]
    assert document["dice"]["per"] == "image"
    assert document["dice"]["n"] + document["dice"]["n_both_empty"] <= document["n_images"]
    with (out / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["level"] == "image" and row["score"]]
    return {row["image"]: float(row["score"]) for row in rows}


@pytest.mark.filterwarnings("ignore::FutureWarning:torch", "ignore::FutureWarning:copyreg")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_writes_a_whole_bundle(us_set, tmp_path):
    request = LesionRequest(
        recipe=tiny(US, folds=2),
        data=us_set,
        bundle_folder=tmp_path / "us-breast-lesion",
        kept=tmp_path / "kept",
        parity_images=6,
    )

    report = train_lesions(request, silent)

    bundle = load_bundle(request.bundle_folder)
    assert report.parity.max_abs_difference < 1e-4
    assert bundle.spec.novelty_limit == report.gate.limit
    points = [point.name for point in bundle.spec.operating_points]
    assert points == ["high_sensitivity", "balanced", "high_specificity"]
    figures = json.loads((request.bundle_folder / "docs/figures.json").read_text(encoding="utf-8"))
    card = (request.bundle_folder / "docs/README.md").read_text(encoding="utf-8")
    assert f"{figures['figures']['image_auc']['value']:.3f}" in card
    assert "what this does not show" in card
    assert {one.kind for one in report.gate.others} >= {"upside down", "inverted", "test patterns"}
    answered = validated_probabilities(bundle, us_set, tmp_path / "measured")
    log = json.loads((request.bundle_folder / "docs/training-log.json").read_text(encoding="utf-8"))
    assert len(answered) > len(us_images(us_set)) / 2
    for name, probability in answered.items():
        curve = bundle.spec.calibration.image
        logit = np.array([log["out_of_fold_logits"][name]])
        assert probability == pytest.approx(float(calibrated(logit, curve)[0]), abs=2e-3)


def test_a_second_run_takes_up_the_folds_of_the_same_data_and_of_no_other(us_set, tmp_path):
    recipe = tiny(US, folds=2)
    images = read_image_set(us_set, recipe.preparation, recipe.targets)
    fitted = []

    def watcher_of(what):
        return lambda _epoch, _epochs, _loss: fitted.append(what)

    first = cross_validate(recipe, images, tmp_path / "kept", "cpu", watcher_of)
    again = cross_validate(recipe, images, tmp_path / "kept", "cpu", watcher_of)

    assert fitted == ["fold 1 of 2", "fold 2 of 2"]
    np.testing.assert_array_equal(first.unseen.logits, again.unseen.logits)
    cross_validate(recipe, replace(images, digest="other"), tmp_path / "kept", "cpu", watcher_of)
    assert len(fitted) == 4


def test_each_device_is_scored_by_a_network_that_saw_none_of_its_patients(us_set, tmp_path, monkeypatch):
    monkeypatch.setattr(left_out, "MIN_SUBGROUP", 4)
    recipe = tiny(US, folds=2, leaving_out=LeavingOut("device", epochs=2))
    images = read_image_set(us_set, recipe.preparation, recipe.targets)
    result = cross_validate(recipe, images, tmp_path, "cpu", silent)
    fits = []
    monkeypatch.setattr(left_out, "fit", lambda *given: fits.append(given) or fit(*given))

    first, second = left_out_figures(recipe, images, result, tmp_path, "cpu", silent)

    devices = images.column("device")
    for figure, (_, others, _, plan, *_) in zip((first, second), fits, strict=True):
        own = devices == figure.value
        assert figure.images == own.sum()
        assert not set(images.patients[own]) & set(images.patients[others])
        assert plan.epochs == figure.epochs == 2
        logits = result.unseen.logits[own, 0].astype(float)
        seen = area(images.targets[own, 0] == 1, logits, images.patients[own], recipe.plan.seed)
        assert figure.seen.image_auc == seen
        assert 0 <= figure.unseen.dice_mean.value <= 1
    assert (first.value, second.value) == ("A", "B")


def test_a_set_without_its_columns_is_refused_with_its_name(us_set):
    (us_set / "labels.csv").write_text("image,mask,patient\nimages/0.png,masks/0.png,p0\n", encoding="utf-8")

    with pytest.raises(InvalidDataset, match="drawn: KeyError 'birads'"):
        read_image_set(us_set, US.preparation, US.targets)
