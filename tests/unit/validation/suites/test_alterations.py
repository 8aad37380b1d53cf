"""Alterations do what their degree says, and the same each time."""

from pathlib import Path

import numpy as np
import pytest

from triage.identifiers import Sha256
from validation.labelled_images import LabelledImage
from validation.suites.alterations import KINDS, alteration

IMAGE = LabelledImage(Path("a.png"), "a.png", Sha256("1" * 64), "s", "p", None, True, {})
FLAT = np.full((128, 128), 100, dtype=np.uint8)
EDGE = np.where(np.arange(64) < 32, 50, 200).astype(np.uint8)[np.newaxis].repeat(64, axis=0)


def altered(kind: str, severity: float, pixels: np.ndarray, seed: int = 1) -> np.ndarray:
    return alteration(kind, severity, seed, noise_at_full_dose=5.0)(IMAGE, pixels)


@pytest.mark.parametrize(("dose", "added"), [(0.5, 5.0), (0.2, 10.0), (0.1, 15.0)])
def test_the_noise_that_a_lower_dose_adds_is_the_missing_variance(dose, added):
    # Total variance 25 / dose, of which 25 is there: 25, 100 and 225 are added.
    assert altered("noise", dose, FLAT).std() == pytest.approx(added, rel=0.03)


def test_the_same_question_gives_the_same_pixels_and_another_seed_other_ones():
    assert (altered("noise", 0.5, FLAT) == altered("noise", 0.5, FLAT)).all()
    assert (altered("noise", 0.5, FLAT) != altered("noise", 0.5, FLAT, seed=2)).any()


def test_motion_smears_along_rows_by_its_length():
    smeared = altered("motion", 9, EDGE)[10].astype(int)

    assert list(np.flatnonzero((smeared > 50) & (smeared < 200))) == list(range(28, 36))


@pytest.mark.parametrize(
    ("kind", "severity", "place", "value"),
    [
        ("gamma", 2.0, (0, 0), 10),         # 255 * (50 / 255) ** 2 = 9.8
        ("contrast", 0.5, (0, 0), 88),      # 125 + 0.5 * (50 - 125) = 87.5
        ("crop", 0.25, (15, 20), 0),
        ("crop", 0.25, (16, 20), 50),
        ("text", 0, (5, 5), 50),
        ("mirrored", 1, (0, 0), 200),
        ("turned", 180, (0, 0), 200),
        ("blur", 1.0, (0, 0), 50),
        ("resample", 0.5, (0, 63), 200),
    ],
)  # fmt: skip
def test_a_pixel_worked_out_by_hand(kind, severity, place, value):
    assert altered(kind, severity, EDGE)[place] == value


def test_words_are_burned_in_at_the_highest_value():
    assert altered("text", 1, FLAT).max() == 255
    assert (altered("text", 3, FLAT) > 100).sum() > (altered("text", 1, FLAT) > 100).sum()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_keeps_the_type_of_the_pixels_and_the_size_of_the_matrix(kind):
    severity = {"noise": 0.5, "resample": 0.5, "crop": 0.1, "jpeg": 50, "turned": 90, "mirrored": 0}.get(kind, 1.0)
    deep = EDGE.astype(np.uint16) * 20

    changed = altered(kind, severity, deep)

    assert (changed.dtype, changed.shape) == (np.uint16, deep.shape)
