"""What was announced completes a study when it is here, and not before."""

from dataclasses import replace
from datetime import timedelta

import pytest

from triage.completion import Announcement, CompletionRule, CompletionSignal, announced_completion

MPPS, COMMITMENT, C_FIND = CompletionSignal.MPPS, CompletionSignal.STORAGE_COMMITMENT, CompletionSignal.C_FIND
SETTLE = timedelta(seconds=0.3)
SECOND = timedelta(seconds=1)


def said(*announcements: Announcement, settled: bool = True) -> CompletionSignal | None:
    return announced_completion(announcements, settled)


def all_here(signal: CompletionSignal) -> Announcement:
    return Announcement(signal, is_final=True, named=5, missing=0, unannounced=0)


def test_steps_that_have_ended_and_whose_images_are_here_wait_for_nothing_else():
    assert said(all_here(MPPS), settled=False) is MPPS


@pytest.mark.parametrize("signal", [COMMITMENT, C_FIND])
def test_a_request_and_a_count_wait_until_the_study_has_settled(signal):
    assert said(all_here(signal)) is signal
    assert said(all_here(signal), settled=False) is None


@pytest.mark.parametrize("signal", [MPPS, COMMITMENT, C_FIND])
@pytest.mark.parametrize("change", [{"is_final": False}, {"missing": 1}])
def test_what_is_not_final_or_not_here_completes_nothing(signal, change):
    assert said(replace(all_here(signal), **change)) is None


def test_a_commitment_request_that_does_not_name_every_image_completes_nothing():
    assert said(replace(all_here(COMMITMENT), unannounced=1)) is None
    assert said(replace(all_here(MPPS), unannounced=1)) is MPPS


def test_a_step_that_ended_without_an_image_waits_until_the_study_has_settled():
    discontinued = replace(all_here(MPPS), named=0)

    assert (said(discontinued, settled=False), said(discontinued)) == (None, MPPS)


def test_the_slowest_scanner_of_a_study_is_waited_for():
    rule = CompletionRule(timedelta(seconds=5), SETTLE, {"FAST": 2 * SECOND, "SLOW": 20 * SECOND})

    assert rule.quiet_signal(2 * SECOND, ["FAST"]) is CompletionSignal.LEARNED_QUIET_PERIOD
    assert rule.quiet_signal(19 * SECOND, ["FAST", "SLOW"]) is None
    assert rule.quiet_signal(4 * SECOND, ["FAST", "UNKNOWN"]) is None
    assert rule.quiet_signal(5 * SECOND, ["FAST", "UNKNOWN"]) is CompletionSignal.QUIET_PERIOD
    assert rule.quiet_signal(5 * SECOND, []) is CompletionSignal.QUIET_PERIOD
