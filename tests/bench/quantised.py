"""What 8-bit integers would bring: each shipped network as it is and quantised (static, QDQ), out of fold where it can.

Scales are calibrated on the first patients of the model's set; what is measured is every `--every`th study, by the same
steps as `acuity validate run`. Nothing is shipped from here: docs/training.md has the outcome.
"""

import argparse
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from deploy.file_headers import header_of_file
from inference.analyser import INPUT_NAME, tensor_contract
from inference.onnx_runtime import open_onnx
from inference.runtime import ProviderPolicy
from models.bundle import Bundle, load_bundle
from models.integrity import seal
from models.registry import find_bundle
from tests.bench.analysis import SHARED, part_of_set, series_of_set, tensors_of
from validation.run import ValidationRequest, validate

SETS = {
    "ct-head-haemorrhage": ("ct_ich", "patient"),
    "us-breast-lesion": ("us_breast", "patient"),
    "mr-brain-flair": ("mr_brain_flair", "patient"),
    "xr-chest-opacity": ("xr_chest", "patient"),
}
"""The set of each model, and its column of patients."""


def measure(arguments: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield one line per bundle whose set lies beside the project."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench quantised", description=__doc__)
    parser.add_argument("--every", type=int, default=3, help="measure every so manieth patient")
    parser.add_argument("--calibrate", type=int, default=48, help="images that the scales are taken from")
    parser.add_argument("--models", nargs="+", choices=list(SETS), default=list(SETS))
    options = parser.parse_args(arguments)
    for name in options.models:
        data, column = SETS[name]
        if (SHARED / data).is_dir():
            with TemporaryDirectory() as folder:
                yield _line(find_bundle(name), data, column, Path(folder), options)


def _line(bundle: Bundle, data: str, column: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    part = part_of_set(data, column, folder / "part", slice(1, None, options.every))
    seen = part_of_set(data, column, folder / "seen", slice(0, 16))
    tensors = [tensor for one in series_of_set(seen) for tensor in tensors_of(bundle, one)]
    small = _quantised(bundle, np.concatenate(tensors)[: options.calibrate], folder / bundle.identity.name)
    line: dict[str, Any] = {"model": f"{bundle.identity.name} {bundle.identity.version}"}
    for name, one in (("float32", bundle), ("int8", small)):
        at = datetime.now(UTC)
        request = ValidationRequest(one, part, folder / f"out-{name}", "cpu", 1, at)
        document = validate(request, header_of_file, lambda _done, _all: None)
        line["images"] = document["n_images"]
        line[name] = {key: document[key] for key in ("image_auc", "study_auc", "dice")}
        line[name]["images_per_s"] = round(_rate(one, tensors[:40]), 1)
    return line


def _rate(bundle: Bundle, tensors: Sequence[NDArray[np.float32]]) -> float:
    network = open_onnx(bundle.onnx_path, tensor_contract(bundle.spec), ProviderPolicy.CPU_ONLY, threads=1)
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        for tensor in tensors:
            network.run(tensor)
        seconds.append(time.perf_counter() - begun)
    return sum(len(one) for one in tensors) / median(seconds)


class _Images(CalibrationDataReader):
    def __init__(self, images: NDArray[np.float32]) -> None:
        self._left = iter(images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        image = next(self._left, None)
        return None if image is None else {INPUT_NAME: image[np.newaxis]}


def _quantised(bundle: Bundle, images: NDArray[np.float32], folder: Path) -> Bundle:
    """Return the bundle with its convolutions in 8 bits."""
    shutil.copytree(bundle.folder, folder)
    target = folder / bundle.onnx_path.relative_to(bundle.folder)
    clean = folder.with_suffix(".onnx")
    quant_pre_process(str(bundle.onnx_path), str(clean), skip_symbolic_shape=True)
    quantize_static(
        str(clean),
        str(target),
        _Images(images),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    seal(folder)
    return load_bundle(folder, bundle.identity.name)
