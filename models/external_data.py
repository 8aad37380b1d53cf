"""Weights that lie beside an ONNX file: their paths are read without running it, and must stay inside the bundle."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from triage.errors import InvalidBundle

BYTES = ""
MESSAGES: Mapping[str, tuple[tuple[str, int, str], ...]] = {
    "Model": (("graph", 7, "Graph"), ("training", 20, "Training"), ("function", 25, "Function")),
    "Training": (("first", 1, "Graph"), ("algorithm", 2, "Graph")),
    "Function": (("node", 7, "Node"), ("attribute", 11, "Attribute")),
    "Graph": (("node", 1, "Node"), ("initializer", 5, "Tensor"), ("sparse", 15, "Sparse")),
    "Node": (("attribute", 5, "Attribute"),),
    "Attribute": (
        *(("tensor", 5, "Tensor"), ("graph", 6, "Graph"), ("tensors", 10, "Tensor"), ("graphs", 11, "Graph")),
        *(("sparse", 22, "Sparse"), ("sparses", 23, "Sparse")),
    ),
    "Sparse": (("values", 1, "Tensor"), ("indices", 2, "Tensor")),
    "Tensor": (("external_data", 13, "Entry"),),
    "Entry": (("key", 1, BYTES), ("value", 2, BYTES)),
}
"""Where tensors may stand in an ONNX model: field name, field number and kind of each message; all as repeated fields.

Source: onnx/onnx.proto, IR version 13 (ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto …).
"""


def require_confined(onnx_path: Path, folder: Path) -> None:
    """Raise unless all external data of `onnx_path` are files inside the bundle `folder`.

    Raises:
        InvalidBundle: the file is no ONNX model, or names external data that are absent or lie elsewhere.
    """
    label = f"{folder.name}/{onnx_path.relative_to(folder).as_posix()}"
    try:
        model = _messages()["Model"].FromString(onnx_path.read_bytes())
    except DecodeError as error:
        raise InvalidBundle(f"{label}: {error}, needed an ONNX model") from error
    for location in sorted(set(_locations(model))):
        target = (onnx_path.parent / location).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise InvalidBundle(f"{label}: external data in {location!r}, needed a file inside the bundle")
        if not target.is_file():
            raise InvalidBundle(f"{label}: external data in {location!r}: absent, needed")


def _locations(message: Any) -> Iterator[str]:
    """Return what every tensor below `message` names as the place of its data."""
    for field, values in message.ListFields():
        for value in values if field.message_type is not None else ():
            if field.message_type.name == "Entry":
                yield from (one.decode(errors="replace") for one in value.value if b"location" in value.key)
            else:
                yield from _locations(value)


@cache
def _messages() -> Mapping[str, Any]:
    """Return the message classes of `MESSAGES`; fields that are not in it are passed over."""
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="onnx_external_data.proto", package="acuity.onnx", syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, of in fields:
            message.field.add(
                name=field,
                number=number,
                label=kind.LABEL_REPEATED,
                type=kind.TYPE_MESSAGE if of else kind.TYPE_BYTES,
                type_name=f".acuity.onnx.{of}" if of else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"acuity.onnx.{name}")) for name in MESSAGES
    }
