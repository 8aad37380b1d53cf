"""Which image is looked at first, in which order images lie, and which windows are offered."""

from dataclasses import replace

from tests.builders import a_series, an_analysis, an_image
from triage.identifiers import SopInstanceUid
from triage.viewing import BODY_WINDOWS, HEAD_WINDOWS, frames_in_order, key_frame, windows_for


def numbers(frames):
    return [frame.sop_instance_uid for frame in frames]


def test_slices_lie_along_their_normal_whatever_their_numbers_say():
    series = a_series(3)
    upside_down = replace(
        series, images=tuple(replace(one, instance_number=9 - place) for place, one in enumerate(series.images))
    )

    assert numbers(frames_in_order(upside_down)) == [one.sop_instance_uid for one in series.images]


def test_images_without_a_place_follow_their_instance_numbers():
    images = tuple(
        an_image(number, position_mm=None, orientation=None, instance_number=5 - number) for number in range(3)
    )
    series = replace(a_series(3), images=images)

    assert numbers(frames_in_order(series)) == [
        images[2].sop_instance_uid,
        images[1].sop_instance_uid,
        images[0].sop_instance_uid,
    ]


def test_a_multi_frame_image_gives_each_of_its_frames_and_one_without_pixels_none():
    moving, report = an_image(0, number_of_frames=3), an_image(1, has_pixels=False)
    series = replace(a_series(2), images=(moving, report))

    assert [(one.sop_instance_uid, one.frame_number) for one in frames_in_order(series)] == [
        (moving.sop_instance_uid, 1), (moving.sop_instance_uid, 2), (moving.sop_instance_uid, 3),
    ]  # fmt: skip


def test_the_key_frame_is_where_the_leading_finding_is_seen():
    series, analysis = a_series(10), an_analysis(0.9)

    assert key_frame([series], [analysis]).sop_instance_uid == analysis.findings[0].regions[0].sop_instance_uid


def test_a_flag_without_regions_is_looked_for_where_its_images_score_highest():
    analysis = an_analysis(0.9)
    (finding,) = analysis.findings
    scores = (replace(finding.image_scores[0], probability=0.2), replace(finding.image_scores[1], probability=0.7))
    analysis = replace(analysis, findings=(replace(finding, regions=(), image_scores=scores),))

    assert key_frame([a_series(10)], [analysis]).sop_instance_uid == scores[1].sop_instance_uid


def test_without_a_flag_the_middle_of_the_largest_series_comes_first():
    series = a_series(11)

    assert key_frame([a_series(0), series], []).sop_instance_uid == series.images[5].sop_instance_uid
    assert key_frame([], []) is None
    assert key_frame([replace(series, images=(), files=())], []) is None


def test_a_region_on_an_image_that_is_not_there_is_no_key_frame():
    analysis = an_analysis(0.9)
    (finding,) = analysis.findings
    elsewhere = replace(finding.regions[0], sop_instance_uid=SopInstanceUid("1.2.3"))
    analysis = replace(analysis, findings=(replace(finding, regions=(elsewhere,)),))
    series = a_series(11)

    assert key_frame([series], [analysis]).sop_instance_uid == series.images[5].sop_instance_uid


def test_windows_are_offered_where_grey_values_have_a_common_scale():
    assert windows_for(a_series(modality="CT", body_part="HEAD")) == HEAD_WINDOWS
    assert (
        windows_for(replace(a_series(modality="CT", body_part="ABDOMEN"), study_description="CT abdomen"))
        == BODY_WINDOWS
    )
    assert windows_for(a_series(modality="MR", body_part="HEAD")) == ()
