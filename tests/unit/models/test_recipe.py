"""The recipe: painted bleeds, batches that equal what serving sees, and a tiny run that writes a whole bundle."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("monai")

import torch

from inference.preprocess import resampled_planes, stack_channels
from models.bundle import load_bundle
from models.training.augmentation import Batch, augmented, network_input
from models.training.bundle_files import PREPARATION
from models.training.cli import main
from models.training.ct_head_haemorrhage import assign_folds
from models.training.head_ct_dataset import LABELS, LabelledStudy, read_labelled_set
from models.training.network import HaemorrhageNetwork, pooled
from models.training.synthetic_bleeds import depth_inside, paint
from tests.unit.models.drawn_head import as_volume, draw_head
from triage.errors import InvalidDataset

TOML = """name = "drawn"
modality = "CT"
[columns]
image = "image"
study = "patient"
order = "slice"
image_label = "hemorrhage"
[stored_values]
slope = 0.47058823529411764
intercept = -20.0
unit = "HU"
"""


def a_study(seed: int = 0) -> LabelledStudy:
    values = draw_head(pixels=128, pixel_mm=2.0, slices=8, seed=seed)
    _, planes, inside = resampled_planes(as_volume(values), PREPARATION)
    return LabelledStudy("1", (), planes, inside, np.zeros((8, len(LABELS)), dtype=np.float32))


@pytest.fixture
def drawn_set(tmp_path: Path) -> Path:
    """Eight drawn patients, every second one with a bleed, as JPEG with labels."""
    folder = tmp_path / "drawn"
    (folder / "images").mkdir(parents=True)
    (folder / "dataset.toml").write_text(TOML, encoding="utf-8")
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["image", "patient", "slice", *LABELS])
        writer.writeheader()
        for patient in range(8):
            bleed = patient % 2 == 0
            values = np.clip(draw_head(128, 2.0, slices=6, bleed=bleed, seed=patient), -20, 100)
            for index, plane in enumerate(values):
                name = f"images/p{patient}_s{index}.jpg"
                Image.fromarray(((plane + 20) * 255 / 120).round().astype(np.uint8)).save(folder / name)
                label = int(bleed and abs(index - 2.5) < 2)
                row = {"image": name, "patient": patient, "slice": index} | dict.fromkeys(LABELS, 0)
                writer.writerow(row | {"hemorrhage": label, "epidural": label})
    return folder


def test_paint_brightens_what_it_says_and_labels_the_slices() -> None:
    study = a_study()
    depth, random = depth_inside(study), np.random.default_rng(3)

    for _ in range(10):
        painted = paint(study, depth, random, bleeds=1)

        lesion = painted.lesion > 0
        assert (painted.study.planes - study.planes)[lesion].min(initial=99) > 12
        assert np.array_equal(painted.study.labels[:, 0] > 0, painted.study.labels[:, 1:].max(axis=1) > 0)
        assert (lesion.sum(axis=(1, 2))[painted.study.labels[:, 0] > 0] >= 20).all()
        assert not (painted.doubtful & (painted.study.labels[:, 0] > 0)).any()
    assert study.labels.sum() == 0


def test_paint_stays_inside_the_skull() -> None:
    study = a_study()

    painted = paint(study, depth_inside(study), np.random.default_rng(5), bleeds=2)

    assert (painted.lesion[study.inside == 0] == 0).all()


def test_a_training_batch_has_the_channels_of_serving() -> None:
    study = a_study()
    planes = torch.from_numpy(study.planes[[[3, 2, 4], [0, 0, 1]]])
    inside = torch.from_numpy(study.inside[[3, 0]])[:, None]

    batch = network_input(planes, inside, PREPARATION).numpy()

    assert np.array_equal(batch, stack_channels(study.planes, study.inside, 1, PREPARATION)[[3, 0]])


def test_augmentation_keeps_shapes_values_in_the_window_and_the_lesion_on_the_same_place() -> None:
    study = a_study()
    bright = np.full((16, 3, 192, 192), -20, dtype=np.float32)
    bright[:, :, 90:120, 60:90] = 90
    lesion = (bright[:, :1] > 0).astype(np.float32)
    parts = [torch.from_numpy(one) for one in (bright, lesion, lesion)]
    batch = Batch(*parts, lesion_known=torch.ones(16), labels=torch.zeros(16, len(LABELS)))

    changed = augmented(batch, PREPARATION.window, torch.Generator().manual_seed(1))

    assert study.planes.shape[1:] == changed.planes.shape[2:]
    assert float(changed.planes.min()) >= -20
    assert float(changed.planes.max()) <= 100
    assert float(changed.planes[:, :1][changed.lesion > 0.99].mean()) > 60
    assert float(changed.planes[:, :1][changed.lesion == 0].mean()) < -5


def test_the_pooled_logit_is_the_mean_of_the_eight_highest_cells() -> None:
    maps = torch.zeros(1, 1, 48, 48)
    maps[0, 0, 0, :4] = 4.0

    assert float(pooled(maps)) == 2.0  # four cells of 4 and four of 0


def test_the_network_answers_at_a_quarter_of_the_resolution() -> None:
    maps, embedding = HaemorrhageNetwork(5, 6).eval()(torch.zeros(2, 5, 64, 64))

    assert (tuple(maps.shape), tuple(embedding.shape)) == ((2, 6, 16, 16), (2, 96))


def test_folds_spread_bleeding_patients_evenly() -> None:
    positive = [True] * 7 + [False] * 13

    folds = assign_folds(positive, 5, seed=1)

    assert sorted(np.bincount(folds[:7])) == [1, 1, 1, 2, 2]
    assert sorted(np.bincount(folds[7:])) == [2, 2, 3, 3, 3]
    assert np.array_equal(folds, assign_folds(positive, 5, seed=1))


def test_a_set_without_a_named_column_is_refused(drawn_set: Path) -> None:
    (drawn_set / "dataset.toml").write_text(TOML.replace('"hemorrhage"', '"bleeding"'), encoding="utf-8")

    with pytest.raises(InvalidDataset, match="drawn: KeyError 'bleeding'"):
        read_labelled_set(drawn_set, PREPARATION)


def test_a_slice_without_a_label_is_left_out(drawn_set: Path) -> None:
    whole = read_labelled_set(drawn_set, PREPARATION)
    rows = list(csv.DictReader((drawn_set / "labels.csv").read_text(encoding="utf-8").splitlines()))
    rows[0]["hemorrhage"] = ""
    with (drawn_set / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

    partial = read_labelled_set(drawn_set, PREPARATION)

    assert [len(one.labels) for one in whole.studies[:2]] == [6, 6]
    assert [len(one.labels) for one in partial.studies[:2]] == [5, 6]


def test_the_command_refuses_a_folder_that_is_no_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["ct-head-haemorrhage", "--data", str(tmp_path), "--out", str(tmp_path / "out")])

    assert code == 2
    assert "FileNotFoundError" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore::FutureWarning:torch", "ignore::FutureWarning:copyreg")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_tiny_run_writes_a_whole_bundle(drawn_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "ct-head-haemorrhage"
    command = ["ct-head-haemorrhage", "--data", str(drawn_set), "--phantoms", str(drawn_set), "--out", str(target)]

    code = main([*command, "--epochs", "1", "--slices-per-epoch", "32", "--folds", "2"])

    printed = json.loads(capsys.readouterr().out)
    bundle = load_bundle(target)
    assert code == 0
    assert printed["figures"]["patients"] == 8
    assert printed["figures"]["positive_slices"] == 16
    assert printed["phantoms"]["studies"] == 4
    assert {one["kind"] for one in printed["gate"]["others"]} >= {"upside down", "inverted", "test patterns"}
    assert (bundle.spec.novelty_limit, bundle.spec.members) == (printed["gate"]["limit"], 2)
    assert printed["parity"]["max_abs_difference"] < 1e-4
    assert printed == json.loads((target / "docs/figures.json").read_text(encoding="utf-8"))
    assert bundle.spec.preparation == PREPARATION
    assert "--data drawn" in (target / "docs/README.md").read_text(encoding="utf-8")
    log = json.loads((target / "docs/training-log.json").read_text(encoding="utf-8"))
    assert [len(losses) for losses in log["mean_loss_per_epoch"]] == [1, 1]
