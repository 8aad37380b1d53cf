"""DICOM files, phantoms and networks that the tests of this folder are about; each is made by hand and small."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from inference.volume import Volume
from models.triage_spec import (
    Aggregation,
    Calibration,
    LogisticCurve,
    OperatingPoint,
    Preparation,
    TriageSpec,
)
from triage.findings import Code
from triage.identifiers import SopInstanceUid
from triage.priority import Priority
from triage.selection import Acceptance

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
WriteImage = Callable[..., Path]


@pytest.fixture
def write_image(tmp_path: Path) -> WriteImage:
    """Return a function that writes one image; keywords replace or, where None, remove attributes."""
    series_uid, frame_uid = generate_uid(), generate_uid()

    def write(stored: NDArray[Any], transfer_syntax: str = ExplicitVRLittleEndian, **attributes: Any) -> Path:
        dataset = FileDataset("", Dataset(), preamble=b"\0" * 128, file_meta=FileMetaDataset())
        dataset.file_meta.TransferSyntaxUID = transfer_syntax
        values: dict[str, Any] = {
            "SOPClassUID": CTImageStorage,
            "SOPInstanceUID": generate_uid(),
            "SeriesInstanceUID": series_uid,
            "FrameOfReferenceUID": frame_uid,
            "Modality": "CT",
            "Rows": stored.shape[-2],
            "Columns": stored.shape[-1],
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 8 * stored.dtype.itemsize,
            "BitsStored": 8 * stored.dtype.itemsize,
            "PixelRepresentation": int(stored.dtype.kind == "i"),
            "PixelSpacing": [0.5, 0.5],
            "ImageOrientationPatient": list(AXIAL),
            "ImagePositionPatient": [0.0, 0.0, 0.0],
            "RescaleSlope": 1,
            "RescaleIntercept": 0,
            "PixelData": stored.tobytes(),
        }
        for keyword, value in (values | {"HighBit": None} | attributes).items():
            if value is not None:
                setattr(dataset, keyword, value)
        if attributes.get("HighBit") is None:
            dataset.HighBit = dataset.BitsStored - 1
        dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
        path = tmp_path / f"{dataset.SOPInstanceUID}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def write_stack(write_image: WriteImage) -> Callable[..., list[Path]]:
    """Return a function that writes one image of 4x4 zeros at each of some heights along z."""

    def write(heights_mm: Sequence[float], **attributes: Any) -> list[Path]:
        blank = np.zeros((4, 4), dtype=np.int16)
        return [write_image(blank, ImagePositionPatient=[0.0, 0.0, height], **attributes) for height in heights_mm]

    return write


@pytest.fixture
def head_hu() -> NDArray[np.float32]:
    """A head of 12 slices of 96x96: air, a bony shell of 1000 HU, brain of 35 HU with noise of 4 HU."""
    z, y, x = np.meshgrid(np.linspace(-0.6, 0.6, 12), np.linspace(-1, 1, 96), np.linspace(-1, 1, 96), indexing="ij")
    radius = np.sqrt(z**2 + (y / 0.85) ** 2 + (x / 0.7) ** 2)
    noise = np.random.default_rng(7).normal(0, 4, radius.shape)
    values = np.where(radius < 0.85, 35 + noise, np.where(radius < 1, 1000, -1000))
    return np.round(values).astype(np.float32)


def volume_of(values: NDArray[np.float32], unit: Any = "HU", between_slices: float | None = 10.0) -> Volume:
    """Return an axial volume with slices `between_slices` mm apart and pixels of 2 mm."""
    uids = tuple(SopInstanceUid(f"1.2.{index}") for index in range(len(values)))
    return Volume(
        values=values.astype(np.float32),
        unit=unit,
        spacing_mm=(between_slices, 2.0, 2.0),
        sop_instance_uids=uids,
        frame_numbers=(None,) * len(values),
        origin_mm=(0.0, 0.0, 0.0),
        orientation=AXIAL,
        slice_step_mm=(0.0, 0.0, between_slices or 1.0),
    )


@pytest.fixture
def make_volume() -> Callable[..., Volume]:
    return volume_of


@pytest.fixture
def head_spec() -> TriageSpec:
    """What a head CT model of three channels on a grid of 32x32 says in its bundle."""
    return TriageSpec(
        name="tiny_head",
        version="1.0.0",
        task="intracranial haemorrhage",
        code=Code("1386000", "SCT", "Intracranial hemorrhage"),
        site=Code("12738006", "SCT", "Brain"),
        raises_to=Priority.CRITICAL,
        accepts=Acceptance(("CT",), min_slices=10, slice_spacing_mm=(0.5, 10.0), orientation="axial"),
        preparation=Preparation("HU", (-20.0, 100.0), 40.0, 40.0, "head", 32, 32, ("this", "previous", "next"), 5.0),
        aggregation=Aggregation(smooth_slices=3, top_slices=2),
        calibration=Calibration(LogisticCurve(1.0, 0.0), LogisticCurve(1.0, 0.0)),
        operating_points=(OperatingPoint("balanced", 0.5),),
        active_operating_point="balanced",
        display_policy="localising",
        licence="CC-BY-4.0",
        citation="none",
    )


@pytest.fixture
def write_network(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a network: logits and embedding are means of the image, map the mean of its
    channels; with `novelty`, that is the size of the mean."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT

    def write(
        path: Path | None = None,
        channels: int = 3,
        side: int = 32,
        batch: Any = "batch",
        divide_by: float = 1.0,
        names: Sequence[str] = ("logits", "map", "embedding"),
        novelty: bool = False,
    ) -> Path:
        logits, heat, embedding = names
        axes = [
            helper.make_tensor("all", onnx.TensorProto.INT64, [3], [1, 2, 3]),
            helper.make_tensor("plane", onnx.TensorProto.INT64, [2], [2, 3]),
            helper.make_tensor("one", onnx.TensorProto.INT64, [1], [1]),
            helper.make_tensor("divisor", kind, [1], [divide_by]),
        ]
        nodes = [
            helper.make_node("ReduceMean", ["image", "all"], ["mean"], keepdims=1),
            helper.make_node("Squeeze", ["mean", "plane"], ["flat"]),
            helper.make_node("Div", ["flat", "divisor"], [logits]),
            helper.make_node("ReduceMean", ["image", "one"], [heat], keepdims=0),
            helper.make_node("ReduceMean", ["image", "plane"], [embedding], keepdims=0),
        ]
        if novelty:
            nodes.append(helper.make_node("Abs", ["flat"], ["novelty"]))
            names = (*names, "novelty")
        outputs = [helper.make_tensor_value_info(name, kind, None) for name in names]
        image = helper.make_tensor_value_info("image", kind, [batch, channels, side, side])
        graph = helper.make_graph(nodes, "tiny", [image], outputs, initializer=axes)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        target = path or tmp_path / "model.onnx"
        target.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, target)
        return target

    return write
