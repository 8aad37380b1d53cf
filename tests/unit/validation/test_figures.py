"""From answers to figures, tables and the page: counted by hand."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from models.bundle import load_bundle
from models.triage_spec import OperatingPoint
from tests.unit.models.test_bundle import write_bundle
from triage.identifiers import Sha256
from validation.answers import ImageAnswer, StudyAnswer
from validation.dataset_description import Description, StoredValues
from validation.figures import figures_of
from validation.intervals import clopper_pearson
from validation.labelled_images import Dataset, LabelledImage, LabelledStudy
from validation.report import report_html
from validation.result_document import Measured, as_object, write_predictions
from validation.training_overlap import TrainingOverlap, training_overlap


def a_study(name: str, label: bool, image_labels: list[bool], patient: str = "", **row: str) -> LabelledStudy:
    images = tuple(
        LabelledImage(Path(f"{name}{n}"), f"{name}{n}.png", Sha256("0" * 64), name, patient or name, n, one, row)
        for n, one in enumerate(image_labels)
    )
    return LabelledStudy(name, patient or name, images, label, row)


def answered(study: LabelledStudy, probability: float, images: list[float]) -> StudyAnswer:
    scores = tuple(ImageAnswer(one, one.name, score) for one, score in zip(study.images, images, strict=True))
    return StudyAnswer(study, probability, scores, "", (), "CPUExecutionProvider")


@pytest.fixture
def bundle(tmp_path):
    found = load_bundle(write_bundle(tmp_path))
    points = (OperatingPoint("low", 0.3), OperatingPoint("high", 0.7))
    return replace(found, spec=replace(found.spec, operating_points=points, active_operating_point="low"))


@pytest.fixture
def answers():
    """Two positives (0.9 and 0.4), two negatives (0.5 and 0.1), and one positive that was refused."""
    return (
        answered(a_study("p1", True, [True, False], centre="north"), 0.9, [0.9, 0.2]),
        answered(a_study("p2", True, [True], centre="north"), 0.4, [0.4]),
        answered(a_study("n1", False, [False], centre="south"), 0.5, [0.5]),
        answered(a_study("n2", False, [False], centre="north"), 0.1, [0.1]),
        StudyAnswer(a_study("p3", True, [True]), None, (), "no space enclosed by a skull", (), ""),
    )


@pytest.fixture
def measured(bundle, answers, tmp_path):
    description = Description("set <1>", "CT", "HEAD", "", "CC0", "a & b", None, StoredValues(1, 0, "HU"), ("centre",))
    studies = tuple(one.study for one in answers)
    dataset = Dataset(tmp_path, description, True, studies, (), 7, Sha256("d" * 64))
    return Measured(
        bundle=bundle,
        dataset=dataset,
        answers=answers,
        figures=figures_of(answers, bundle.spec, ("centre",)),
        overlap=TrainingOverlap(False, 0),
        out_of_fold=0,
        dice=None,
        device="cpu",
        seconds=2.0,
        measured_at="2026-03-01T03:00:00+00:00",
        environment={"python": "3.11"},
    )


def test_studies_images_and_refusals_are_counted(measured):
    figures = measured.figures

    assert (figures.n_studies, figures.n_positive_studies, figures.n_images, figures.n_patients) == (5, 3, 6, 5)
    assert (figures.n_refused, figures.n_refused_positive) == (1, 1)


def test_the_auc_leaves_refused_studies_out(measured):
    # 0.9 beats 0.5 and 0.1; 0.4 beats 0.1 only: 3 of 4 pairs. Images: 0.9 beats 0.2, 0.5, 0.1; 0.4 two of three: 5/6.
    assert measured.figures.study_auc.estimate.value == 0.75
    assert measured.figures.image_auc.estimate.value == pytest.approx(5 / 6)
    assert measured.figures.study_auc.n == 4


def test_rates_at_each_operating_point_are_those_counted_by_hand(measured):
    low, high = measured.figures.at_points

    # At 0.3: p1, p2 and n1 are flagged. At 0.7: p1 alone.
    assert (low.tp, low.fp, low.tn, low.fn, low.active) == (2, 1, 1, 0, True)
    assert (high.tp, high.fp, high.tn, high.fn, high.active) == (1, 0, 2, 1, False)
    assert low.ppv.estimate.value == 2 / 3
    assert high.npv.estimate.value == 2 / 3
    assert high.sensitivity.estimate.interval == pytest.approx(clopper_pearson(1, 2))


def test_a_probability_at_the_threshold_is_flagged(bundle):
    found = figures_of([answered(a_study("p", True, [True]), 0.7, [0.7])], bundle.spec, ())

    assert [at.tp for at in found.at_points] == [1, 1]


def test_subgroups_are_those_of_the_column_and_a_column_that_is_absent_gives_none(bundle, answers):
    found = figures_of(answers, bundle.spec, ("centre", "absent")).subgroups

    assert [(one.column, one.value, one.n_studies, one.n_positive_studies, one.n_images) for one in found] == [
        ("centre", "north", 3, 2, 4),
        ("centre", "south", 1, 0, 1),
    ]


def test_the_document_has_the_keys_of_the_contract(measured):
    document = as_object(measured)

    assert list(document)[:15] == [
        *("bundle", "bundle_digest", "dataset", "dataset_digest", "device", "n_images", "n_studies"),
        *("n_positive_studies", "image_auc", "study_auc", "operating_points", "dice", "froc", "subgroups"),
        "images_per_s",
    ]
    assert document["images_per_s"] == 2.5  # five answered images in two seconds
    assert (document["n_refused"], document["n_unlabelled_rows"]) == (1, 7)
    assert set(document["operating_points"][0]) >= {"name", "threshold", "sensitivity", "specificity", "ppv", "npv"}
    assert set(document["study_auc"]) >= {"value", "ci95"}


def test_a_figure_that_the_labels_do_not_allow_is_null_and_says_why(measured, bundle, answers):
    positives = answers[:2]
    measured = replace(measured, answers=positives, figures=figures_of(positives, bundle.spec, ()))

    document = as_object(measured)

    assert (document["study_auc"], document["operating_points"][0]["specificity"]) == (None, None)
    assert document["not_measured"]["study_auc"] == "2 positive of 2 answered studies, needed both kinds"


def test_predictions_list_every_study_and_every_image(answers, tmp_path):
    write_predictions(tmp_path / "predictions.csv", answers, threshold=0.3)

    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["study"] for row in rows if row["level"] == "study"] == ["p1", "p2", "n1", "n2", "p3"]
    assert len([row for row in rows if row["level"] == "image"]) == 6
    first, refused = rows[0], next(row for row in rows if row["state"] == "refused")
    assert (first["truth"], first["score"], first["flagged"], first["state"]) == ("1", "0.9", "1", "answered")
    assert (refused["score"], refused["flagged"], refused["reason"]) == ("", "", "no space enclosed by a skull")


def test_the_page_is_self_contained_and_escapes_what_it_did_not_write(measured):
    page = report_html(measured)

    assert "Research use only. Not a medical device." in page
    assert "set &lt;1&gt;" in page
    assert "a &amp; b" in page
    assert "no space enclosed by a skull" in page
    assert measured.bundle.identity.digest in page
    for forbidden in ("<script", "http:", "https:", "src=", "@import", "url("):
        assert forbidden not in page


def test_the_page_says_when_the_patients_were_trained_on(measured):
    trained = replace(measured, overlap=TrainingOverlap(True, 5))
    unknown = replace(measured, overlap=TrainingOverlap(None, 0))

    assert "These figures are optimistic." in report_html(trained)
    assert "optimistic" not in report_html(measured)
    assert "overlap cannot be ruled out" in report_html(unknown)
    assert "optimistic" not in report_html(replace(trained, out_of_fold=5))
    assert "(out of fold)" in report_html(replace(trained, out_of_fold=5))
    assert as_object(trained)["trained_on_this_data"] is True


def test_the_page_shows_the_shortcuts_of_the_bundle(measured):
    (measured.bundle.folder / "docs/figures.json").write_text('{"shortcuts": {"thumbnail_16": 0.74}}')

    assert "thumbnail 16 0.74" in report_html(measured)


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (None, TrainingOverlap(None, 0)),
        ({"plan": {}}, TrainingOverlap(None, 0)),
        ({"data": {"name": "another"}, "folds": {"p1": 0}}, TrainingOverlap(False, 0)),
        ({"data": {"name": "set <1>"}, "folds": {"x": 0}}, TrainingOverlap(False, 0)),
        (
            {"data": {"name": "set <1>"}, "folds": {"p1": 0, "n1": 1, "x": 2}},
            TrainingOverlap(True, 2, {"p1": 0, "n1": 1}),
        ),
        ({"data": {"name": "set <1>"}}, TrainingOverlap(True, 5)),
    ],
)
def test_overlap_with_training_is_that_of_the_patients(measured, log, expected):
    if log is not None:
        (measured.bundle.folder / "docs/training-log.json").write_text(json.dumps(log))

    assert training_overlap(measured.bundle.folder, measured.dataset) == expected
