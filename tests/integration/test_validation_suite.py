"""`acuity validate suite` and `acuity dataset check`: what was planted in data or network is found and named."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from deploy.cli import main
from deploy.kept_evidence import opened_evidence
from deploy.settings import read_settings
from models.evidence import EvidenceKind
from models.integrity import seal
from models.registry import find_bundle

SIDE, GRID, PATIENTS = 128, 32, 60
TOML = """
name = "drawn_breasts"
modality = "US"
body_part = "BREAST"
task = "lesion"

[columns]
image = "image"
study = "patient"
image_label = "lesion"
mask = "mask"
subgroups = ["device"]
"""
SUITE = """
name = "small"
bundle = "tiny"
seed = 1

[leakage]
split = "part"
[standalone]
[subgroups]
columns = ["device"]
[robustness]
positive = 12
negative = 12
noise_at_full_dose = 60.0
[robustness.severities]
noise = [0.02]
jpeg = [60.0]
mirrored = [1.0]
[probes]
positive = 20
negative = 20
[machine]
studies = 4
[gate]
"""
CRITERIA = [
    ("leakage", "n_findings", "at_most = 0"),
    ("standalone", "study_auc.ci95.0", "at_least = 0.8"),
    ("subgroups", "n_findings", "at_most = 0"),
    ("probes", "n_findings", "at_most = 0"),
    ("machine", "n_findings", "at_most = 0"),
]

Called = Callable[..., tuple[int, dict, str]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "acuity.toml").write_text(f'[inference]\nthreads = 1\nbundles = "{tmp_path / "bundles"}"\n')
    monkeypatch.setenv("ACUITY_HOME", str(folder))
    return folder


@pytest.fixture
def acuity(capsys: pytest.CaptureFixture[str]) -> Called:
    def call(*arguments: object) -> tuple[int, dict, str]:
        code = main([*map(str, arguments), "--json"])
        said = capsys.readouterr()
        return code, json.loads(said.out) if said.out else {}, said.err

    return call


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    tables = [f'[[criteria]]\npart = "{part}"\nfigure = "{figure}"\n{limit}\n' for part, figure, limit in CRITERIA]
    path = tmp_path / "SUITE.toml"
    path.write_text(SUITE + "\n".join(tables))
    return path


def write_bundle(folder: Path, looks_at: tuple[int, int], random: bool = False) -> None:
    """Write a bundle whose score is the mean of 8 x 8 of its 32 x 32 pixels, from the corner `looks_at`, minus that
    of all; with `random` noise is added at each run."""
    bundle = folder / "bundles/tiny"
    for part in ("configs", "models", "docs"):
        (bundle / part).mkdir(parents=True)
    shipped = find_bundle("us-breast-lesion").folder
    spec = json.loads((shipped / "configs/triage.json").read_text())
    for key in ("segmentation", "novelty_limit", "members"):
        del spec[key]
    spec |= {"name": "tiny", "calibration": {kind: {"slope": 1.0, "intercept": 0.0} for kind in ("image", "study")}}
    spec |= {"operating_points": [{"name": "balanced", "threshold": 0.6}]}
    spec["preparation"] |= {"rows": GRID, "columns": GRID}
    (bundle / "configs/triage.json").write_text(json.dumps(spec))
    (bundle / "configs/metadata.json").write_text(json.dumps({"version": spec["version"]}))
    (bundle / "docs/README.md").write_text("card")
    (bundle / "LICENSE").write_text("licence")
    onnx.save(network(looks_at, random), bundle / "models/model.onnx")
    seal(bundle)


def network(looks_at: tuple[int, int], random: bool) -> onnx.ModelProto:
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT

    def whole(name: str, values: list[int]) -> onnx.TensorProto:
        return helper.make_tensor(name, onnx.TensorProto.INT64, [len(values)], values)

    nodes = [
        helper.make_node("Slice", ["image", "from", "to", "plane"], ["patch"]),
        helper.make_node("ReduceMean", ["patch", "plane"], ["seen"], keepdims=0),
        helper.make_node("ReduceMean", ["image", "plane"], ["embedding"], keepdims=0),
        helper.make_node("Sub", ["seen", "embedding"], ["contrast" if random else "logits"]),
        helper.make_node("Squeeze", ["image", "channel"], ["map"]),
    ]
    if random:
        nodes.append(helper.make_node("RandomNormalLike", ["contrast"], ["drawn"], scale=0.1))
        nodes.append(helper.make_node("Add", ["contrast", "drawn"], ["logits"]))
    constants = [
        whole("from", list(looks_at)),
        whole("to", [place + 8 for place in looks_at]),
        whole("plane", [2, 3]),
        whole("channel", [1]),
    ]
    outputs = [helper.make_tensor_value_info(name, kind, None) for name in ("logits", "map", "embedding")]
    image = helper.make_tensor_value_info("image", kind, ["batch", 1, GRID, GRID])
    graph = helper.make_graph(nodes, "tiny", [image], outputs, initializer=constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


CENTRE, BESIDE, ASTRAY, CORNER, ELSEWHERE = (12, 12), (12, 13), (18, 12), (0, 0), (20, 2)
PLAN = """
name = "another place"
modification = "Looks at another place of the image."
acceptance = "Tells positives from negatives no worse."
[[criteria]]
name = "AUC not worse"
measure = "auc"
at_least = -0.2
"""


def write_set(folder: Path, square: bool = False, blind_device: bool = False, leak: bool = False) -> Path:
    """Write noise with a bright spot in the middle of every third image, another patient each, in two parts.

    With `square` positives have a white square in the corner and no spot; with `blind_device` the spots of one device
    do not show; with `leak` a patient of one part comes as a smaller copy in the other.
    """
    random = np.random.default_rng(5)
    (folder / "images").mkdir(parents=True)
    (folder / "dataset.toml").write_text(TOML)
    rows, (down, across) = [], np.mgrid[:SIDE, :SIDE] - SIDE / 2
    spot = np.hypot(down, across) < 14
    Image.fromarray(spot).save(folder / "spot.png")
    for number in range(PATIENTS):
        positive, device = number % 3 == 0, "old" if number % 2 else "new"
        texture = Image.fromarray(random.normal(80, 25, (16, 16)).astype(np.float32)).resize((SIDE, SIDE))
        pixels = np.asarray(texture) + random.normal(0, 8, (SIDE, SIDE))
        if positive and square:
            pixels[:32, :32] = 255
        elif positive and not (blind_device and device == "old"):
            pixels = pixels + 100 * spot
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        # Compressed, the size of the file would tell: a spot has less to compress, and the suite finds that.
        image.save(folder / f"images/{number}.png", compress_level=0)
        part = "tune" if number < PATIENTS / 2 else "test"
        rows.append([f"images/{number}.png", f"p{number}", int(positive), "spot.png" if positive else "", device, part])
        if leak and number == 0:
            image.resize((SIDE - 8, SIDE - 8)).save(folder / "images/copy.jpg", quality=60)
            rows.append(["images/copy.jpg", "somebody", 1, "", device, "test"])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "patient", "lesion", "mask", "device", "part"], *rows])
    return folder


def met(document: dict) -> dict[str, bool]:
    return {one["part"]: one["met"] for one in document["criteria"]}


def said(document: dict, part: str) -> str:
    return "\n".join(one["said"] for one in document["findings"] if one["part"] == part)


def test_a_sound_model_on_sound_data_passes_and_its_page_says_what_the_document_says(acuity, suite, tmp_path):
    write_bundle(tmp_path, CENTRE)
    data = write_set(tmp_path / "data")

    code, document, told = acuity("validate", "suite", suite, "--data", data, "--out", tmp_path / "out")

    assert (code, document["passed"], set(met(document).values())) == (0, True, {True})
    assert json.loads((tmp_path / "out/suite.json").read_text()) == document
    page = (tmp_path / "out/suite.html").read_text()
    assert "<h2>Passed</h2>" in page
    assert f"<code>{document['bundle_digest']}</code>" in page
    assert "http" not in page
    assert document["parts"]["standalone"]["study_auc"]["value"] > 0.95
    assert document["parts"]["probes"]["lesion_taken_away"]["ci95"][1] < 0
    assert document["parts"]["machine"]["determinism"]["largest_difference_again"] == 0
    assert "acuity: unaltered: 60 done" in told
    with opened_evidence(read_settings()) as rows:
        ((number, kept),) = rows.suites(9)
        assert rows.report(EvidenceKind.SUITE, number) == page
    assert (kept.suite, kept.passed, kept.document) == ("small", True, document)
    assert (kept.model.name, kept.model.digest, kept.dataset_digest) == (
        "tiny", document["bundle_digest"], document["dataset_digest"],
    )  # fmt: skip


def test_heavy_noise_costs_accuracy_and_the_curve_says_how_much(acuity, suite, tmp_path):
    write_bundle(tmp_path, CENTRE)
    plan = suite.read_text().replace("noise = [0.02]", "noise = [0.0005]")
    plan = plan.replace("positive = 12", "positive = 20").replace("negative = 12", "negative = 40")
    suite.write_text(plan)

    _, document, _ = acuity(
        "validate", "suite", suite, "--data", write_set(tmp_path / "data"), "--out", tmp_path / "out"
    )

    curves = document["parts"]["robustness"]["curves"]
    (noisy,), (mirrored,) = curves["noise"], curves["mirrored"]
    assert noisy["ci95"][1] < -0.05
    assert "noise 0.0005 (share of the dose): AUC" in said(document, "robustness")
    assert mirrored["difference"] == 0  # the spot lies in the middle


def test_a_second_run_asks_nothing_and_a_broken_off_one_goes_on(acuity, suite, tmp_path, home):
    write_bundle(tmp_path, CENTRE)
    data, out = write_set(tmp_path / "data"), tmp_path / "out"
    _, first, _ = acuity("validate", "suite", suite, "--data", data, "--out", out)
    (answers,) = (out / "answers").glob("unaltered-*")
    lines = answers.read_bytes().splitlines(keepends=True)

    for part in (out / "parts").iterdir():
        part.unlink()
    answers.write_bytes(b"".join(lines[:40]) + lines[40][:25])
    _, second, _ = acuity("validate", "suite", suite, "--data", data, "--out", out)

    assert len(answers.read_bytes().splitlines()) == len(lines)
    same = ("criteria", "findings", "suite_digest", "dataset_digest", "test_set_uses")
    assert [second[key] for key in same] == [first[key] for key in same]
    assert second["parts"]["subgroups"] == first["parts"]["subgroups"]
    assert second["n_answers_kept"] > 100
    assert second["test_set_uses"]["decisions"] == 1
    assert len((home / "test-set-uses.jsonl").read_text().splitlines()) == 1


def test_a_planted_leak_is_found_and_named(acuity, suite, tmp_path):
    write_bundle(tmp_path, CENTRE)
    data = write_set(tmp_path / "data", leak=True)

    code, document, _ = acuity("validate", "suite", suite, "--data", data, "--out", tmp_path / "out")

    assert (code, met(document)["leakage"]) == (1, False)
    found = said(document, "leakage")
    assert "leak: 1 pair of near-duplicate images across part, first images/0.png and images/copy.jpg" in found
    checked, check, _ = acuity("dataset", "check", data, "--split", "part")
    assert (checked, [one["n_near"] for one in check["compared"]]) == (1, [1, 1])


def test_a_planted_shortcut_is_found_in_the_data_and_in_the_model(acuity, suite, tmp_path):
    write_bundle(tmp_path, CORNER)
    data = write_set(tmp_path / "data", square=True)

    code, document, _ = acuity("validate", "suite", suite, "--data", data, "--out", tmp_path / "out")

    assert (code, met(document)["standalone"], met(document)["probes"]) == (1, True, False)
    assert "<h2>Failed: 1 of 5 criteria not met</h2>" in (tmp_path / "out/suite.html").read_text()
    found = said(document, "probes")
    assert "shortcut: the labels can be told from the outer frame of the images alone: AUC 1.000" in found
    assert "shortcut: the model answers from the outer frame of the images alone: AUC 1.000" in found
    assert "shortcut: without its lesion a positive scores" in found


def test_a_planted_subgroup_failure_is_found_and_named(acuity, suite, tmp_path):
    write_bundle(tmp_path, CENTRE)
    data = write_set(tmp_path / "data", blind_device=True)

    code, document, _ = acuity("validate", "suite", suite, "--data", data, "--out", tmp_path / "out")

    assert (code, met(document)["subgroups"]) == (1, False)
    assert "worse group: device old: sensitivity 0." in said(document, "subgroups")
    assert "device new" not in said(document, "subgroups")


@pytest.mark.timeout(240)
def test_a_worse_version_is_refused_by_the_plan_and_its_criterion_is_named(acuity, tmp_path):
    for name, looks_at in (("good", CENTRE), ("like", BESIDE), ("worse", ASTRAY)):
        write_bundle(tmp_path / name, looks_at)
    data, plan = write_set(tmp_path / "data"), tmp_path / "plan.toml"
    plan.write_text(PLAN)
    acuity("validate", "lock", plan)

    def compared(name: str) -> tuple[int, dict, str]:
        good, other = (tmp_path / one / "bundles/tiny" for one in ("good", name))
        out = tmp_path / f"{name}-out"
        return acuity("validate", "compare", good, other, "--data", data, "--plan", plan, "--out", out)

    like, worse = compared("like"), compared("worse")

    assert (like[0], like[1]["verdict"]) == (0, "Accepted")
    assert (worse[0], worse[1]["verdict"]) == (1, "Refused")
    assert 0.7 < worse[1]["criteria"][0]["b"] < 0.95  # still far better than chance
    assert [one["name"] for one in worse[1]["criteria"] if not one["met"]] == ["AUC not worse"]


@pytest.mark.parametrize(
    ("looks_at", "random", "part", "finding"),
    [
        (CENTRE, True, "machine", "not deterministic: the same images asked twice differ"),
        (ELSEWHERE, False, "standalone", ""),
    ],
)
def test_a_random_and_a_blind_model_fail(acuity, suite, tmp_path, looks_at, random, part, finding):
    write_bundle(tmp_path, looks_at, random)
    data = write_set(tmp_path / "data")

    code, document, _ = acuity("validate", "suite", suite, "--data", data, "--out", tmp_path / "out")

    assert (code, met(document)[part]) == (1, False)
    assert finding in said(document, part)


def test_images_of_noise_pass_a_gate_that_has_no_limit_of_novelty(acuity, suite, tmp_path):
    write_bundle(tmp_path, CENTRE)
    data = write_set(tmp_path / "data")

    _, document, _ = acuity("validate", "suite", suite, "--data", data, "--out", tmp_path / "out")

    constant, noise = document["parts"]["gate"]["sets"]
    assert (constant["n_refused"], constant["reasons"]) == (4, ["every pixel has the value 128"])
    assert noise["n_refused"] == 0
    assert said(document, "gate") == "gate: images of noise: 0 of 4 refused, at least 90%"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 1", "sead = 1", "SUITE.toml: sead: Extra inputs are not permitted"),
        ("noise = [0.02]", "fog = [1.0]", "robustness.severities: found 'fog', needed some of noise"),
        ('part = "leakage"', 'part = "luck"', "criteria.0.part: found 'luck', needed one that runs: leakage, "),
        ("split = ", "rubbish ", "needed TOML"),
        ('split = "part"', 'split = "fold"', "column fold absent, found image, patient"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(acuity, suite, tmp_path, old, new, message):
    write_bundle(tmp_path, CENTRE)
    suite.write_text(suite.read_text().replace(old, new))

    code, _, told = acuity(
        "validate", "suite", suite, "--data", write_set(tmp_path / "data"), "--out", tmp_path / "out"
    )

    assert (code, told.count("\n")) == (2, 1)
    assert message in told
    assert not (tmp_path / "out").exists()


def test_a_missing_mask_is_bad_input(acuity, tmp_path):
    data = write_set(tmp_path / "data")
    (data / "spot.png").unlink()

    code, _, told = acuity("dataset", "check", data)

    assert code == 2
    assert "spot.png: no such file, needed an image" in told
