"""`acuity dataset to-dicom` and `acuity validate run` as a person calls them, with the bundle that is shipped."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.cli import main
from tests.unit.models.drawn_head import draw_head

BUNDLE = "ct-head-haemorrhage"
SLICES = 17
TOML = """
name = "drawn_heads"
modality = "CT"
body_part = "HEAD"
task = "intracranial haemorrhage"

[columns]
image = "image"
study = "patient"
order = "slice"
image_label = "bleed"
subgroups = ["side"]

[stored_values]
slope = 0.47058823529411764
intercept = -20.0
unit = "HU"
"""

Called = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACUITY_HOME", str(tmp_path / "home"))


@pytest.fixture
def acuity(capsys: pytest.CaptureFixture[str]) -> Called:
    """Return a function that calls `acuity` and returns exit code, standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of three drawn heads, one of them with a bleed, and of one box of water without a skull."""
    folder = tmp_path_factory.mktemp("drawn_heads")
    (folder / "images").mkdir()
    (folder / "dataset.toml").write_text(TOML)
    lines = ["image,patient,slice,bleed,side"]
    for patient in ("bleeding", "sound", "turned", "water"):
        bleeds = patient == "bleeding"
        head = draw_head(slices=SLICES, bleed=bleeds, turn_degrees=10.0 * (patient == "turned"), seed=len(lines))
        if patient == "water":
            head = np.random.default_rng(3).normal(0, 3, head.shape).astype(np.float32)
        for number, plane in enumerate(head, start=1):
            name = f"images/{patient}{number:02}.png"
            stored = np.clip(np.round((plane + 20) * 255 / 120), 0, 255).astype(np.uint8)
            Image.fromarray(stored).save(folder / name)
            label = int(bleeds and abs(number - 1 - (SLICES - 1) / 2) < 2)
            lines.append(f"{name},{patient},{number},{label},{'left' if bleeds else 'right'}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def scores(out: Path) -> list[tuple[str, str, str, float | None, str]]:
    """Return level, patient, truth, score and reason of every row of `predictions.csv`, in its order."""
    with (out / "predictions.csv").open(newline="") as file:
        return [
            (row["level"], row["patient"], row["truth"], float(row["score"]) if row["score"] else None, row["reason"])
            for row in csv.DictReader(file)
        ]


def require_same(images: Path, dicom: Path) -> None:
    """Require that two runs say the same about the same images, one after the other."""
    for one, other in zip(scores(images), scores(dicom), strict=True):
        assert one[:3] == other[:3]
        assert (one[3] is None) == (other[3] is None)
        assert one[3] is None or one[3] == pytest.approx(other[3], abs=1e-4)
        assert one[4] == other[4]


def run(acuity: Called, data: Path, out: Path) -> dict[str, object]:
    code, printed, _ = acuity("validate", "run", "--bundle", BUNDLE, "--data", data, "--out", out, "--json")
    assert code == 0
    document: dict[str, object] = json.loads(printed)
    return document


@pytest.mark.timeout(240)
def test_images_and_their_dicom_objects_get_the_same_answers(acuity, heads, tmp_path):
    code, printed, _ = acuity("dataset", "to-dicom", heads, tmp_path / "dicom", "--json")
    assert (code, json.loads(printed)["n_studies"], json.loads(printed)["n_images"]) == (0, 4, 4 * SLICES)

    of_images = run(acuity, heads, tmp_path / "images-out")
    of_dicom = run(acuity, tmp_path / "dicom", tmp_path / "dicom-out")

    require_same(tmp_path / "images-out", tmp_path / "dicom-out")
    for key in ("n_images", "n_studies", "n_positive_studies", "n_refused", "image_auc", "study_auc", "subgroups"):
        assert of_images[key] == of_dicom[key], key
    assert (of_images["n_images"], of_images["n_studies"], of_images["n_positive_studies"]) == (4 * SLICES, 4, 1)
    assert (of_images["n_refused"], of_images["n_refused_positive"]) == (1, 0)
    refused = [row for row in scores(tmp_path / "images-out") if row[0] == "study" and row[3] is None]
    assert [(row[1], row[4]) for row in refused] == [("water", "no space enclosed by a skull")]
    assert (of_images["device"], of_images["provider"]) == ("cpu", "CPUExecutionProvider")
    assert json.loads((tmp_path / "images-out" / "result.json").read_text()) == of_images
    assert sorted(path.name for path in (tmp_path / "images-out").iterdir()) == [
        "predictions.csv",
        "report.html",
        "result.json",
    ]


@pytest.mark.timeout(240)
def test_real_patients_get_the_same_answers_as_images_and_as_dicom(acuity, shared_data, tmp_path):
    source, few = shared_data / "ct_ich", tmp_path / "few"
    with (source / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["patient"] in ("50", "84")]
    few.mkdir()
    (few / "images").symlink_to(source / "images")
    (few / "dataset.toml").write_text((source / "dataset.toml").read_text())
    with (few / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)

    acuity("dataset", "to-dicom", few, tmp_path / "dicom")
    document = run(acuity, few, tmp_path / "images-out")
    run(acuity, tmp_path / "dicom", tmp_path / "dicom-out")

    require_same(tmp_path / "images-out", tmp_path / "dicom-out")
    assert (document["n_studies"], document["n_images"], document["n_refused"]) == (2, len(rows), 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--bundle", "none-such"), "none-such: no such bundle, needed one of ct-head-haemorrhage"),
        (("--data", "nowhere"), "nowhere: no such folder, needed a data set"),
    ],
)
def test_wrong_input_is_named_in_one_line_and_leaves_nothing(acuity, heads, tmp_path, change, message):
    options = {"--bundle": BUNDLE, "--data": heads, "--out": tmp_path / "out", change[0]: change[1]}

    code, printed, said = acuity("validate", "run", *(part for pair in options.items() for part in pair), "--json")

    assert (code, printed) == (2, "")
    assert message in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_set_of_another_modality_is_wrong_input(acuity, heads, tmp_path):
    data = tmp_path / "other"
    data.mkdir()
    (data / "images").symlink_to(heads / "images")
    (data / "labels.csv").write_text((heads / "labels.csv").read_text())
    (data / "dataset.toml").write_text(TOML.replace('"CT"', '"MR"'))

    code, _, said = acuity("validate", "run", "--bundle", BUNDLE, "--data", data, "--out", tmp_path / "out")

    assert code == 2
    assert "other/dataset.toml: modality: found MR, needed CT for ct-head-haemorrhage" in said
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_left_alone(acuity, heads, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")

    code, _, said = acuity("validate", "run", "--bundle", BUNDLE, "--data", heads, "--out", out)

    assert (code, [path.name for path in out.iterdir()]) == (2, ["thesis.txt"])
    assert "holds other files" in said


def test_without_a_gpu_the_device_cuda_is_refused(acuity, heads, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this installation has the CUDA provider")
    options = ("--bundle", BUNDLE, "--data", heads, "--out", tmp_path / "out", "--device", "cuda")

    code, _, said = acuity("validate", "run", *options)

    assert code == 2
    assert "needed CUDAExecutionProvider" in said
    assert not (tmp_path / "out").exists()
