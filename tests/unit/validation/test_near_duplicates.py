"""Perceptual hashes: copies are near, other images are far, blank ones have no hash; and what parts share."""

import io

import numpy as np
import pytest
from PIL import Image

from validation.near_duplicates import NEAR, near_pairs, perceptual_hash


def a_picture(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).normal(120, 40, (12, 12)).astype(np.float32)
    picture = np.asarray(Image.fromarray(coarse).resize((200, 160), Image.Resampling.BICUBIC))
    return np.clip(picture, 0, 255).astype(np.uint8)


def compressed(pixels: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=30)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize(
    "copy",
    [
        compressed,
        lambda pixels: np.asarray(Image.fromarray(pixels).resize((100, 80))),
        lambda pixels: (pixels * 0.8).astype(np.uint8),
        lambda pixels: pixels.astype(np.uint16) * 257,
    ],
)
def test_a_copy_is_near_and_every_other_image_is_far(copy):
    originals = [perceptual_hash(a_picture(seed)) for seed in range(20)]

    found = near_pairs([perceptual_hash(copy(a_picture(7)))], originals)

    assert [(one, other) for one, other, _ in found] == [(0, 7)]
    assert found[0][2] <= NEAR


def test_distances_are_counted_bits():
    zeros, three = np.zeros(255, dtype=bool), np.arange(255) < 3

    assert near_pairs([zeros], [zeros, three], near=3) == [(0, 0, 0), (0, 1, 3)]
    assert near_pairs([zeros], [three], near=2) == []
    assert near_pairs([], [zeros]) == []


def test_a_blank_image_has_no_hash():
    nearly_black = np.random.default_rng(1).integers(0, 3, (64, 64), dtype=np.uint8)

    assert perceptual_hash(nearly_black) is None
