"""`acuity stats`: the keys that scripts rely on, exit codes, and one line for each mistake."""

import json

import numpy as np
import pytest
from PIL import Image

from deploy.cli import main

SCORES = "case,truth,score\n" + "".join(f"c{n},{int(n % 3 == 0)},{(n * 7 % 20) / 20 + 0.02}\n" for n in range(20))
OTHER = "case,truth,score\n" + "".join(f"c{n},{int(n % 3 == 0)},{(n * 3 % 20) / 20 + 0.02}\n" for n in range(20))
RATINGS = "reader,modality,case,truth,rating\n" + "".join(
    f"r{r},m{m},c{c},{int(c % 2)},{c * (3 + r + 2 * m) % 7 + c % 2}\n"
    for r in range(3)
    for m in range(2)
    for c in range(12)
)
FILES = {
    "a.csv": SCORES,
    "b.csv": OTHER,
    "ratings.csv": RATINGS,
    "lesions.csv": "case,x,y,z,radius\nc0,0,0,0,5\nc1,0,0,0,5\n",
    "boxes.csv": "case,x,y,z,score\nc0,1,0,0,0.9\nc1,9,0,0,0.8\n",
    "cases.csv": "case\nc0\nc1\nc2\n",
    "empty.csv": "",
    "one_kind.csv": "case,truth,score\na,1,0.5\nb,1,0.7\n",
    "logits.csv": "case,truth,score\na,1,2.5\nb,0,-0.7\nc,1,0.3\nd,0,1.1\n",
    "no_lesions.csv": "case,x,y,z,radius\n",
    "no_boxes.csv": "case,x,y,z,score\n",
    "stranger.csv": "case,x,y,z,score\nc9,1,0,0,0.9\n",
    "nan.csv": "case,truth,score\na,1,0.5\nb,0,nan\n",
}  # fmt: skip


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    mask = np.zeros((8, 9), np.uint8)
    mask[2:5, 2:6] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(np.roll(mask, 1, axis=1)).save(tmp_path / "moved.png")
    monkeypatch.chdir(tmp_path)


def answer(capsys, words):
    code = main(["stats", *words.split(), "--json"])
    told = capsys.readouterr()
    assert (code, told.err) == (0, "")
    return json.loads(told.out)


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("roc a.csv", "n n_positive auc auc_se ci95 ci95_logit brier ece10 calibration_slope calibration_intercept "
                      "spiegelhalter_z"),
        ("roc a.csv --threshold 0.5", "tp fp tn fn sensitivity specificity ppv npv"),
        ("roc a.csv --pauc 0.5,1.0", "partial_auc"),
        ("roc a.csv --bootstrap --seed 4", "bootstrap"),
        ("compare a.csv b.csv --margin 0.1 --threshold 0.5", "auc_a auc_b difference ci95 z p non_inferiority mcnemar"),
        ("compare a.csv b.csv --unpaired", "auc_a auc_b difference ci95 z p"),
        ("proportion 45 50", "value clopper_pearson wilson"),
        ("adjust 0.01 0.04", "holm bh bonferroni"),
        ("froc --truth lesions.csv --predictions boxes.csv --cases cases.csv --seed 3",
         "cpm sensitivity_at ap ci95_cpm"),
        ("segmentation --truth mask.png --predictions moved.png --spacing 1,2,3", "dice hd95_mm nsd"),
        ("mrmc ratings.csv", "covariance"),
        ("calibrate a.csv --method platt", "method slope intercept"),
        ("calibrate a.csv --method isotonic", "method scores probabilities"),
        ("sample-size --sensitivity 0.9 --half-width 0.05", "n_positive"),
        ("sample-size --auc 0.8 --power 0.9", "n_positive n_negative n"),
        ("sample-size --non-inferiority 0.05 --sensitivity 0.9 --power 0.8", "n_positive"),
        ("sample-size --non-inferiority --margin 0.05 --auc 0.9", "n_positive n_negative"),
    ],
)  # fmt: skip
def test_the_keys_of_the_contract_are_there(capsys, words, keys):
    assert set(keys.split()) <= answer(capsys, words).keys()


def test_shares_nest_as_the_contract_says(capsys):
    found = answer(capsys, "roc a.csv --threshold 0.5 --net-benefit 0.1,0.2")

    assert {"value", "clopper_pearson", "wilson"} <= found["sensitivity"].keys()
    assert [one.keys() for one in found["net_benefit"]] == [{"threshold", "model", "treat_all"}] * 2
    assert found["tp"] + found["fn"] == found["n_positive"]


def test_readers_have_three_analyses_for_each_covariance(capsys):
    found = answer(capsys, "mrmc ratings.csv")["covariance"]

    for covariance in ("delong", "jackknife"):
        for analysis in ("random_readers_and_cases", "fixed_readers", "fixed_cases"):
            assert {"f", "df1", "df2", "p", "difference", "ci95"} <= found[covariance][analysis].keys()


def test_a_tolerance_and_a_spacing_are_stated(capsys):
    found = answer(capsys, "segmentation --truth mask.png --predictions moved.png --spacing 1,2,3 --tolerance 3")

    assert (found["hd95_mm"], found["nsd"], found["tolerance_mm"]) == (3.0, 1.0, 3.0)
    assert found["cases"][0]["spacing_mm"] == [2.0, 3.0]


@pytest.mark.parametrize(
    ("words", "key", "reason"),
    [
        ("roc one_kind.csv --threshold 0.6", "auc", "needed both kinds"),
        ("roc logits.csv", "brier", "case a: score 2.5, needed a probability from 0 to 1"),
        ("roc logits.csv --net-benefit 0.1", "net_benefit", "needed a probability"),
        ("compare one_kind.csv one_kind.csv --margin 0.1", "difference", "needed positives and negatives"),
        ("froc --truth no_lesions.csv --predictions boxes.csv --cases cases.csv", "cpm", "no lesion"),
    ],
)
def test_what_cannot_be_given_is_null_with_a_reason(capsys, words, key, reason):
    found = answer(capsys, words)

    assert found[key] is None
    assert reason in found["reasons"][key]


def test_logits_have_an_area_all_the_same(capsys):
    assert answer(capsys, "roc logits.csv")["auc"] == 0.75


def test_no_mark_finds_nothing(capsys):
    found = answer(capsys, "froc --truth lesions.csv --predictions no_boxes.csv --cases cases.csv")

    assert (found["cpm"], found["ap"], found["n_cases"]) == (0.0, 0.0, 3)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("roc absent.csv", "absent.csv: cannot be read"),
        ("roc empty.csv", "empty.csv: column case absent"),
        ("roc nan.csv", "nan.csv line 3: score: found 'nan', needed a finite number"),
        ("roc a.csv --prevalence 0.1", "needed --threshold"),
        ("compare a.csv nan.csv", "nan.csv line 3"),
        ("compare a.csv one_kind.csv", "'c0' is not in the second table"),
        ("proportion 51 50", "found 51 of 50"),
        ("proportion 0 0", "found 0 of 0"),
        ("froc --truth lesions.csv --predictions stranger.csv --cases cases.csv",
         "stranger.csv line 2: case: found 'c9'"),
        ("segmentation --truth mask.png --predictions moved.png", "needed --spacing"),
        ("segmentation --truth mask.png --predictions moved.png --spacing 1,1,1,1", "found 4 numbers in --spacing"),
        ("segmentation --truth mask.png --predictions cases.csv --spacing 1,1", "needed .nii, .nii.gz or .png"),
        ("mrmc a.csv", "column reader absent"),
        ("calibrate one_kind.csv", "needed both 0 and 1"),
        ("calibrate logits.csv", "needed probabilities above 0 and below 1"),
        ("sample-size --auc 0.8", "needed --power"),
        ("sample-size --non-inferiority --auc 0.8", "needed one"),
    ],
)  # fmt: skip
def test_wrong_input_ends_with_2_and_one_line(capsys, words, told):
    code = main(["stats", *words.split(), "--json"])

    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (2, "", 1)
    assert told in said.err


@pytest.mark.parametrize(
    "words",
    ["adjust 1.2", "adjust -0.1", "adjust nan", "adjust", "proportion 4.5 9", "proportion -1 9",
     "proportion 1 9 --level 1", "roc a.csv --net-benefit 0.1,1", "roc a.csv --pauc 0.9", "roc a.csv --pauc 1,1",
     "compare a.csv b.csv --margin 0", "segmentation --truth a --predictions b --spacing 1,x",
     "calibrate a.csv --method x",
     "froc --truth a --predictions b --cases c --seed -1"],
)  # fmt: skip
def test_a_wrong_option_ends_with_2_and_one_line(capsys, words):
    with pytest.raises(SystemExit) as ended:
        main(["stats", *words.split()])

    said = capsys.readouterr()
    assert (ended.value.code, said.out, said.err.count("\n")) == (2, "", 1)


def test_without_json_a_person_can_read_it(capsys):
    assert main(["stats", "proportion", "45", "50"]) == 0
    assert main(["stats", "roc", "one_kind.csv"]) == 0

    told = capsys.readouterr().out
    assert "clopper_pearson  [0.781865, 0.966725]" in told
    assert "needed both kinds" in told
    assert "None" not in told
    assert "{" not in told


def test_an_answer_of_no_is_still_an_answer(capsys):
    found = answer(capsys, "compare b.csv a.csv --margin 0.001")

    assert found["non_inferiority"]["met"] is False
