"""Which series a model gets, and the words for those it does not."""

from dataclasses import replace

import pytest

from tests.builders import HEAD_CT, a_series, an_image
from triage.identifiers import SeriesInstanceUid
from triage.selection import is_of_kind, reason_against, select_series

CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def with_images(series, *images):
    return replace(series, images=images, files=series.files[: len(images)])


def named(series, uid: str):
    return replace(series, header=replace(series.header, series_instance_uid=SeriesInstanceUid(uid)))


def test_a_head_ct_is_accepted():
    assert reason_against(a_series(), HEAD_CT) == ""


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (a_series(modality="MR"), "modality MR, needed CT"),
        (a_series(body_part="CHEST"), "body part CHEST, needed HEAD"),
        (a_series(series_description="Head bone 1mm"), "description says BONE"),
        (a_series(images=4), "4 slices, at least 5 needed"),
        (with_images(a_series(), *(an_image(n, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")) for n in range(6))),
         "image type LOCALIZER"),
        (with_images(a_series(), *(an_image(n) for n in (0, 1, 2, 4, 5, 6))),
         "slices 10.00 mm apart among slices 5.00 mm apart"),
        (with_images(a_series(), *(an_image(n, position_mm=(0.0, 0.0, n * 1.0)) for n in range(6))),
         "covers 6 mm, at least 20 mm needed"),
        (with_images(a_series(), *(an_image(n, position_mm=(0.0, 0.0, n * 20.0)) for n in range(6))),
         "slices 20.0 mm apart, 0.5 to 10.0 mm needed"),
        (with_images(a_series(), *(an_image(n, has_pixels=False) for n in range(6))), "an object without pixel data"),
        (with_images(a_series(), *(an_image(n, position_mm=None) for n in range(6))),
         "slices without a common position and orientation"),
        (with_images(a_series(), *(an_image(n, orientation=CORONAL, position_mm=(0, 5.0 * n, 0)) for n in range(6))),
         "slices tilted 90° from axial"),
    ],
)  # fmt: skip
def test_each_refusal_says_what_was_found_and_what_was_needed(series, reason):
    assert reason_against(series, HEAD_CT) == reason


def test_an_empty_body_part_is_made_up_for_by_the_descriptions():
    unnamed = a_series(body_part="", series_description="axial")

    assert reason_against(replace(unnamed, study_description="CT Brain w/o"), HEAD_CT) == ""
    assert reason_against(replace(unnamed, study_description="Abdomen"), HEAD_CT) == "body part not stated, needed HEAD"


def test_the_series_with_the_most_images_is_chosen_and_the_others_have_a_reason():
    thick, thin = named(a_series(images=8), "2.25.1"), named(a_series(images=30), "2.25.2")
    scout = named(a_series(images=1), "2.25.3")

    selection = select_series([thick, thin, scout], HEAD_CT)

    assert selection.chosen is thin
    assert {refusal.series_instance_uid for refusal in selection.refusals} == {"2.25.1", "2.25.3"}


def test_the_choice_does_not_depend_on_the_order_of_the_series():
    first, second = named(a_series(), "2.25.1"), named(a_series(), "2.25.2")

    assert select_series([second, first], HEAD_CT).chosen is first
    assert select_series([first, second], HEAD_CT).chosen is first


def test_without_a_suitable_series_the_reason_of_the_largest_is_given():
    selection = select_series([named(a_series(modality="MR"), "2.25.1"), named(a_series(images=1), "2.25.2")], HEAD_CT)

    assert selection.chosen is None
    assert selection.reason == "modality MR, needed CT"


def test_a_required_word_must_be_said_and_one_of_several_is_enough():
    flair = replace(HEAD_CT, required_words=("FLAIR", "TIRM"))

    assert reason_against(a_series(series_description="Head ax"), flair) == "description does not say FLAIR or TIRM"
    assert reason_against(a_series(series_description="Head tirm_dark"), flair) == ""


def test_an_excluded_maker_is_told_by_the_beginning_of_its_name():
    elsewhere = replace(HEAD_CT, excluded_makers=("Acuity Simulator",))
    simulated = replace(a_series(), header=replace(a_series().header, manufacturer="ACUITY SIMULATOR Alpha"))

    assert reason_against(simulated, elsewhere) == (
        "made by ACUITY SIMULATOR Alpha, which the model was not trained on"
    )
    assert reason_against(a_series(), elsewhere) == ""


def test_with_a_required_maker_images_of_all_others_are_refused():
    drawn = replace(HEAD_CT, required_makers=("Acuity Simulator",))
    simulated = replace(a_series(), header=replace(a_series().header, manufacturer="ACUITY SIMULATOR Alpha"))
    unnamed = replace(a_series(), header=replace(a_series().header, manufacturer=""))
    imitating = replace(a_series(), header=replace(a_series().header, manufacturer="Not Acuity Simulator"))

    assert reason_against(simulated, drawn) == ""
    assert reason_against(unnamed, drawn) == "made by nobody named, needed Acuity Simulator"
    assert reason_against(imitating, drawn) == "made by Not Acuity Simulator, needed Acuity Simulator"
    assert [is_of_kind(one, drawn) for one in (simulated, imitating)] == [True, False]
    assert not is_of_kind(simulated, replace(drawn, modalities=("MR",)))
