"""Weights beside an ONNX file are inside the bundle, wherever in the model they are named."""

from pathlib import Path

import pytest

from models.external_data import require_confined
from triage.errors import InvalidBundle

onnx = pytest.importorskip("onnx")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT


def outside(location: str) -> "onnx.TensorProto":
    """Return a tensor whose data lie in the file `location`."""
    tensor = onnx.TensorProto(name="w", data_type=FLOAT, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    tensor.external_data.add(key="offset", value="0")
    return tensor


def write(folder: Path, **places: "onnx.TensorProto") -> Path:
    """Write a model with tensors as an initializer, in a node, in the branch of an If, and in a function."""
    branch = helper.make_graph([], "branch", [], [], initializer=[places["branch"]] if "branch" in places else [])
    nodes = [helper.make_node("If", ["c"], ["d"], then_branch=branch, else_branch=branch)]
    nodes += [helper.make_node("Constant", [], ["e"], value=places["node"])] if "node" in places else []
    graph = helper.make_graph(nodes, "g", [], [], initializer=[places["weight"]] if "weight" in places else [])
    model = helper.make_model(graph)
    if "function" in places:
        inner = helper.make_node("Constant", [], ["f"], value=places["function"])
        model.functions.append(helper.make_function("local", "F", [], ["f"], [inner], [helper.make_opsetid("", 18)]))
    path = folder / "models/model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("place", ["weight", "node", "branch", "function"])
@pytest.mark.parametrize("location", ["../../weights", "/etc/hostname", "models/../../../x"])
def test_data_outside_the_bundle_are_refused_wherever_they_are_named(tmp_path: Path, place: str, location: str) -> None:
    (tmp_path / "weights").write_bytes(b"1234")
    path = write(tmp_path / "a-model", **{place: outside(location)})

    with pytest.raises(InvalidBundle, match=r"a-model/models/model.onnx: external data in '.*', needed a file inside"):
        require_confined(path, tmp_path / "a-model")


def test_data_that_are_not_there_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, weight=outside("model.onnx.data"))

    with pytest.raises(InvalidBundle, match=r"external data in 'model.onnx.data': absent, needed"):
        require_confined(path, tmp_path)


def test_data_inside_the_bundle_pass(tmp_path: Path) -> None:
    path = write(tmp_path, weight=outside("model.onnx.data"), branch=outside("../docs/w"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/w").write_bytes(b"1234")
    (tmp_path / "models/model.onnx.data").write_bytes(b"1234")

    require_confined(path, tmp_path)


def test_bytes_that_are_no_model_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"weights")

    with pytest.raises(InvalidBundle, match=r"model.onnx: .*needed an ONNX model"):
        require_confined(tmp_path / "model.onnx", tmp_path)
