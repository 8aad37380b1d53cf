"""Networks run by ONNX Runtime, on the device that the settings ask for and on no other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as status

from inference.runtime import Outputs, ProviderPolicy, TensorContract
from triage.errors import InvalidBundle, ProviderUnavailable, UnsupportedPixels

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

CUDA_OPTIONS: Mapping[str, str] = {
    "arena_extend_strategy": "kSameAsRequested",
    "cudnn_conv_algo_search": "DEFAULT",
    "use_tf32": "0",
}
"""Memory grows by what is asked for and not by doubling (onnxruntime#9509); a fixed algorithm and full float32 keep the
answer the same from run to run and near that of the CPU."""

LOADING_FAILURES = (
    OSError,
    RuntimeError,
    ValueError,
    status.EPFail,
    status.Fail,
    status.InvalidArgument,
    status.InvalidGraph,
    status.InvalidProtobuf,
    status.NoSuchFile,
    status.NotImplemented,
    status.RuntimeException,
)
"""ONNX Runtime has one exception class per status code, and no base of its own above them."""

BATCH_IMAGES = 8
"""Images run at once; a bound on memory, whatever the length of a series."""


@dataclass(frozen=True, slots=True)
class OnnxRuntime:
    """A network in an ONNX Runtime session; made by `open_onnx`."""

    session: Any
    contract: TensorContract
    provider: str
    batch_images: int

    def run(self, tensor: NDArray[np.float32]) -> Outputs:
        """Return the outputs for `tensor`, shape (images, channels, rows, columns), computed in bounded batches.

        Raises:
            UnsupportedPixels: the tensor has another shape than the network takes.
            InvalidBundle: an output is not finite or does not have one entry per image.
        """
        expected = (self.contract.channels, self.contract.rows, self.contract.columns)
        if tensor.ndim != 4 or tensor.shape[1:] != expected or len(tensor) == 0:
            raise UnsupportedPixels(f"tensor of shape {tensor.shape}, needed (images, {', '.join(map(str, expected))})")
        starts = range(0, len(tensor), self.batch_images)
        parts = [self._run_batch(tensor[start : start + self.batch_images]) for start in starts]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.contract.output_names}

    def _run_batch(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        names = self.contract.output_names
        arrays = self.session.run(list(names), {self.contract.input_name: np.ascontiguousarray(batch, np.float32)})
        outputs = {name: np.asarray(array, dtype=np.float32) for name, array in zip(names, arrays, strict=True)}
        for name, array in outputs.items():
            if array.ndim == 0 or len(array) != len(batch):
                raise InvalidBundle(
                    f"output {name} of shape {array.shape} for {len(batch)} images, needed one entry each"
                )
            # No comparison with a threshold is true for NaN, so it would pass as "no flag".
            if not np.isfinite(array).all():
                raise InvalidBundle(f"output {name} is not finite")
        return outputs


def open_onnx(
    path: Path, contract: TensorContract, policy: ProviderPolicy, threads: int, batch_images: int = BATCH_IMAGES
) -> OnnxRuntime:
    """Return the network of an ONNX file, checked against `contract` and warm.

    Args:
        path: the model; files with its external data lie beside it.
        contract: what the bundle says about the inputs and outputs.
        policy: which device may run it; the provider that really runs is compared with it.
        threads: for the operators of one batch on the CPU.
        batch_images: at most so many images at once.

    Raises:
        InvalidBundle: the file does not load or contradicts `contract`.
        ProviderUnavailable: no provider that `policy` asks for runs the model.
    """
    session = _session(path, policy, threads)
    provider = session.get_providers()[0]
    if policy is ProviderPolicy.REQUIRE_GPU and provider != CUDA:
        raise ProviderUnavailable(f"{path.name}: runs on {provider}, needed {CUDA}")
    _require_contract(session, contract, path.name)
    runtime = OnnxRuntime(session, contract, provider, batch_images)
    runtime.run(np.zeros((batch_images, contract.channels, contract.rows, contract.columns), dtype=np.float32))
    return runtime


def _session(path: Path, policy: ProviderPolicy, threads: int) -> Any:
    providers = _wanted_providers(policy, onnxruntime.get_available_providers(), path.name)
    try:
        # The fallback of ONNX Runtime would print to standard output and go on with the CPU; we decide ourselves.
        return onnxruntime.InferenceSession(path, _options(threads), providers=providers, enable_fallback=False)
    except LOADING_FAILURES as error:
        if policy is ProviderPolicy.ALLOW_CPU and len(providers) > 1:
            return _session(path, ProviderPolicy.CPU_ONLY, threads)
        raise InvalidBundle(f"{path.name}: ONNX Runtime cannot load it: {type(error).__name__}: {error}") from error


def _wanted_providers(policy: ProviderPolicy, available: Sequence[str], name: str) -> list[Any]:
    if policy is ProviderPolicy.REQUIRE_GPU and CUDA not in available:
        raise ProviderUnavailable(f"{name}: ONNX Runtime offers {', '.join(available)}, needed {CUDA}")
    if policy is ProviderPolicy.CPU_ONLY or CUDA not in available:
        return [CPU]
    return [(CUDA, dict(CUDA_OPTIONS)), CPU]


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    # Threads that spin while they wait take the CPU from the receivers on the same machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _require_contract(session: Any, contract: TensorContract, name: str) -> None:
    inputs = {one.name: one for one in session.get_inputs()}
    outputs = {one.name for one in session.get_outputs()}
    if set(inputs) != {contract.input_name}:
        raise InvalidBundle(f"{name}: inputs {', '.join(sorted(inputs))}, needed {contract.input_name} alone")
    if missing := set(contract.output_names) - outputs:
        raise InvalidBundle(f"{name}: output {', '.join(sorted(missing))} absent, found {', '.join(sorted(outputs))}")
    found = inputs[contract.input_name]
    needed = (contract.channels, contract.rows, contract.columns)
    if found.type != "tensor(float)" or isinstance(found.shape[0], int) or not _fits(found.shape[1:], needed):
        raise InvalidBundle(f"{name}: input {found.type} {found.shape}, needed tensor(float) ['batch', {needed}]")


def _fits(shape: Sequence[int | str | None], needed: tuple[int, ...]) -> bool:
    """Return whether `needed` is what a declared shape allows; a name or None stands for any size."""
    return len(shape) == len(needed) and all(
        size == want for size, want in zip(shape, needed, strict=True) if isinstance(size, int)
    )
