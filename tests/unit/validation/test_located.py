"""Boxes of a model against boxes of a data set, on images that can be counted by hand."""

from pathlib import Path

import pytest

from triage.errors import InvalidDataset
from triage.findings import Region
from triage.identifiers import Sha256, SopInstanceUid
from validation.answers import ImageAnswer, StudyAnswer
from validation.dataset_description import Columns, Description, StoredValues
from validation.labelled_images import Dataset, LabelledImage, LabelledStudy
from validation.located import located_figures

BOX = ("x", "y", "w", "h")


def an_answer(name: str, label: bool, box: str, *regions: tuple[float, float, float]) -> StudyAnswer:
    """Return an image with a true `box` "x y w h", and model boxes of 10 x 10 around (x, y) with a score."""
    row = dict(zip(BOX, box.split() or [""] * 4, strict=True))
    image = LabelledImage(Path(name), name, Sha256("0" * 64), name, name, None, label, row)
    drawn = tuple(Region(SopInstanceUid("1.2"), (x - 5.0, y - 5.0, x + 5.0, y + 5.0), score) for x, y, score in regions)
    study = LabelledStudy(name, name, (image,), label, row)
    return StudyAnswer(study, 0.5, (ImageAnswer(image, name, 0.5, None, drawn),), "", (), "CPU")


def a_dataset(box: tuple[str, ...] = BOX) -> Dataset:
    columns = Columns("image", "image", "label", "image", None, None, (), box)
    description = Description("set", "US", "", "", "", "", columns, StoredValues(1, 0, "stored"), ())
    return Dataset(Path("set"), description, False, (), (), 0, Sha256("d" * 64))


def test_hits_false_alarms_and_boxes_of_negative_images_are_counted():
    answers = [
        # The lesion lies around (50, 50) and reaches 20 from there: the first box hits, the second is one too many.
        an_answer("hit", True, "30 40 40 20", (60.0, 60.0, 0.9), (200.0, 50.0, 0.4)),
        an_answer("missed", True, "30 40 40 20", (50.0, 71.0, 0.8)),
        an_answer("benign", False, "30 40 40 20", (50.0, 50.0, 0.7)),
        an_answer("nothing", False, ""),
    ]

    found = located_figures(answers, a_dataset())

    assert found is not None
    assert (found.froc.n_cases, found.froc.n_lesions, found.froc.n_hit, found.froc.n_false_positives) == (4, 2, 1, 3)
    # The hit comes before every false alarm, so half of the lesions are found at every rate.
    assert (found.froc.cpm, found.froc.sensitivities) == (0.5, (0.5,) * 7)
    assert found.interval is not None
    assert 0 <= found.interval[0] <= 0.5 <= found.interval[1] <= 1


def test_without_columns_for_boxes_there_is_no_figure():
    assert located_figures([an_answer("a", True, "1 1 1 1")], a_dataset(())) is None


@pytest.mark.parametrize(("box", "said"), [("1 2 x 4", "w: found 'x', needed a number"), ("1 2 0 4", "0 x 4")])
def test_a_box_that_is_none_is_named(box, said):
    with pytest.raises(InvalidDataset, match=f"set/labels.csv: a.*{said}"):
        located_figures([an_answer("a", True, box)], a_dataset())
