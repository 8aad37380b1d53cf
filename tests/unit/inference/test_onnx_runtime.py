"""A network runs where the settings say, takes and gives what its bundle says, and nothing passes unnoticed."""

import numpy as np
import onnxruntime
import pytest

from inference.onnx_runtime import CPU, CUDA, open_onnx
from inference.runtime import ProviderPolicy, TensorContract
from triage.errors import InvalidBundle, ProviderUnavailable, UnsupportedPixels

CONTRACT = TensorContract("image", 3, 32, 32, ("logits", "map", "embedding"))
TENSOR = np.random.default_rng(5).normal(size=(11, 3, 32, 32)).astype(np.float32)

without_gpu = pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="this machine has a GPU")


def opened(path, batch_images=4, policy=ProviderPolicy.CPU_ONLY):
    return open_onnx(path, CONTRACT, policy, threads=1, batch_images=batch_images)


def test_outputs_are_those_of_the_network_in_the_order_of_the_images(write_network):
    outputs = opened(write_network()).run(TENSOR)

    assert outputs["logits"][:, 0] == pytest.approx(TENSOR.mean(axis=(1, 2, 3)), abs=1e-6)
    assert {name: array.shape for name, array in outputs.items()} == {
        "logits": (11, 1),
        "map": (11, 32, 32),
        "embedding": (11, 3),
    }


@pytest.mark.parametrize("batch_images", [1, 4, 11, 64])
def test_the_size_of_a_batch_changes_nothing(write_network, batch_images):
    path = write_network()

    one_by_one, in_batches = opened(path, 1).run(TENSOR), opened(path, batch_images).run(TENSOR)

    assert np.allclose(one_by_one["map"], in_batches["map"], atol=1e-6)


def test_the_same_tensor_gives_the_same_bytes(write_network):
    runtime = opened(write_network())

    assert runtime.run(TENSOR)["logits"].tobytes() == runtime.run(TENSOR)["logits"].tobytes()


def test_the_provider_that_runs_is_told(write_network):
    assert opened(write_network()).provider == CPU


@without_gpu
def test_a_gpu_that_is_asked_for_and_absent_stops_everything(write_network):
    with pytest.raises(ProviderUnavailable, match=f"needed {CUDA}"):
        opened(write_network(), policy=ProviderPolicy.REQUIRE_GPU)


@without_gpu
def test_a_gpu_that_is_only_allowed_may_be_absent(write_network):
    assert opened(write_network(), policy=ProviderPolicy.ALLOW_CPU).provider == CPU


class _SessionThatFellBack:
    """Looks like a session that was asked for a GPU and runs on the CPU, as onnxruntime#25145 reports."""

    def __init__(self, *args, **kwargs):
        pass

    def get_providers(self):
        return [CPU]


def test_a_silent_fallback_to_the_cpu_is_refused(write_network, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", _SessionThatFellBack)

    with pytest.raises(ProviderUnavailable, match=f"runs on {CPU}, needed {CUDA}"):
        opened(write_network(), policy=ProviderPolicy.REQUIRE_GPU)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ({"channels": 2}, "needed tensor"),
        ({"side": 64}, "needed tensor"),
        ({"batch": 4}, "needed tensor"),
        ({"names": ("logits", "heat", "embedding")}, "output map absent, found embedding, heat, logits"),
        ({"divide_by": 0.0}, "output logits is not finite"),
    ],
)
def test_a_network_that_contradicts_its_bundle_is_refused(write_network, network, reason):
    with pytest.raises(InvalidBundle, match=reason):
        opened(write_network(**network))


def test_a_file_that_is_no_network_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no network")

    with pytest.raises(InvalidBundle, match=r"model\.onnx: ONNX Runtime cannot load it"):
        opened(path)


@pytest.mark.parametrize("shape", [(0, 3, 32, 32), (1, 3, 32, 31), (3, 32, 32)])
def test_a_tensor_of_another_shape_is_refused(write_network, shape):
    with pytest.raises(UnsupportedPixels, match=r"needed \(images, 3, 32, 32\)"):
        opened(write_network()).run(np.zeros(shape, np.float32))


def test_a_logit_that_is_not_a_number_is_never_no_flag(write_network):
    tensor = TENSOR.copy()
    tensor[7, 0, 0, 0] = np.nan

    with pytest.raises(InvalidBundle, match="not finite"):
        opened(write_network()).run(tensor)
