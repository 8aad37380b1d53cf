"""From fitted networks to one ONNX file, and the proof that both say the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.training.gauge import EMBEDDING_SIZE, Gauge, gauged_features
from models.training.network import HaemorrhageNetwork, pooled

OUTPUTS = ("logits", "subtype_logits", "map", "embedding", "novelty", "member_logits", "member_maps")
OPSET = 18


@dataclass(frozen=True, slots=True)
class Parity:
    """How far ONNX Runtime on one CPU thread and torch differ on real slices, and how long a slice takes there."""

    slices: int
    max_abs_difference: float
    seconds_per_slice: float


class ServingNetwork(nn.Module):
    """Several networks as one: each pools its own map, and their logits are averaged.

    Peaks of five maps seldom fall on the same cell, so the pooled average map lies lower than the average of the pooled
    maps: on the study logits of CT-ICH by 0.3, and thresholds chosen on single networks would flag too little.
    Outputs "logits" (n, 1), "subtype_logits" (n, labels - 1), "map" (n, rows / 4, columns / 4), the average map,
    "embedding" (n, 32), principal coordinates of the first member's features, "novelty" (n, 1), the members' mean, and
    what each member says: "member_logits" (n, members) and "member_maps" (n, members, rows / 4, columns / 4).
    """

    def __init__(self, members: Sequence[HaemorrhageNetwork], gauges: Sequence[Gauge]) -> None:
        super().__init__()
        self.members, self.gauges = nn.ModuleList(members), nn.ModuleList(gauges)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        answers = [member(image) for member in self.members]
        maps = torch.stack([one[:, 0] for one, _ in answers], dim=1)
        each = torch.stack([pooled(one) for one, _ in answers], dim=1)
        logits = each.mean(dim=1)
        gauged = [
            gauge(gauged_features(image, embedding)) for gauge, (_, embedding) in zip(self.gauges, answers, strict=True)
        ]
        novelty = torch.stack([one for one, _ in gauged]).mean(dim=0)[:, None]
        embedding = gauged[0][1][:, :EMBEDDING_SIZE]
        return logits[:, :1], logits[:, 1:], maps.mean(dim=1), embedding, novelty, each[:, :, 0], maps


def export_onnx(
    network: nn.Module, example: NDArray[np.float32], target: Path, outputs: Sequence[str] = OUTPUTS
) -> None:
    """Write `network` to `target` as ONNX with its weights inside, input "image", any number of slices."""
    batch = torch.export.Dim("slices", min=1, max=4096)
    program = torch.onnx.export(
        network.eval().cpu(),
        (torch.from_numpy(example),),
        dynamo=True,
        input_names=["image"],
        output_names=list(outputs),
        opset_version=OPSET,
        dynamic_shapes={"image": {0: batch}},
        verbose=False,
    )
    if program is None:
        raise RuntimeError(f"{target.name}: the exporter returned no program")
    model = program.model_proto
    _forget_the_machine(model)
    onnx.checker.check_model(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(model.SerializeToString(deterministic=True))


def check_parity(
    network: nn.Module, onnx_path: Path, slices: NDArray[np.float32], outputs: Sequence[str] = OUTPUTS
) -> Parity:
    """Return the largest difference of any output between torch and ONNX Runtime on `slices`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(onnx_path), options, providers=["CPUExecutionProvider"])
    worst, seconds = 0.0, 0.0
    for start in range(0, len(slices), 16):
        part = np.ascontiguousarray(slices[start : start + 16])
        with torch.inference_mode():
            expected = network(torch.from_numpy(part))
        begin = perf_counter()
        found = session.run(list(outputs), {"image": part})
        seconds += perf_counter() - begin
        for one, other in zip(expected, found, strict=True):
            worst = max(worst, float(np.abs(one.numpy() - other).max()))
    return Parity(len(slices), worst, seconds / len(slices))


def _forget_the_machine(model: onnx.ModelProto) -> None:
    """Remove what the exporter notes about source files: it names folders of the machine and changes nothing."""
    model.doc_string = ""
    del model.metadata_props[:]
    graphs = [model.graph, *model.functions]
    for graph in graphs:
        graph.doc_string = ""
        del graph.metadata_props[:]
        for node in graph.node:
            node.doc_string = ""
            del node.metadata_props[:]
        for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
            del value.metadata_props[:]
