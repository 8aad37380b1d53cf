"""The files of the bundle `ct-head-haemorrhage` besides its weights and its card."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import monai
import numpy as np
import torch

from models.bundle import METADATA_FILE
from models.training.export import OUTPUTS
from models.training.gauge import EMBEDDING_SIZE
from models.training.head_ct_dataset import LABELS
from models.triage_spec import (
    SPEC_FILE,
    Aggregation,
    Calibration,
    LogisticCurve,
    OperatingPoint,
    Preparation,
    TriageSpec,
)
from triage.findings import Code
from triage.priority import Priority
from triage.selection import Acceptance

NAME = "ct-head-haemorrhage"
VERSION = "1.1.0"
MAPS = ("map", "member_maps")
LICENCE = "CC-BY-4.0"
CITATION = (
    "Hssayeni M. et al. 2020, Computed Tomography Images for Intracranial Hemorrhage Detection and Segmentation, "
    "PhysioNet CT-ICH 1.3, doi 10.13026/w8q8-ky94"
)
PREPARATION = Preparation(
    unit="HU",
    window=(-20.0, 100.0),
    centre=35.0,
    scale=30.0,
    crop="head",
    rows=192,
    columns=192,
    channels=("this", "previous", "next", "mirrored", "inside"),
    slab_mm=5.0,
)
ACCEPTS = Acceptance(
    modalities=("CT",),
    sop_class_uids=(),
    body_parts=("HEAD", "BRAIN", "SKULL", "CRANIUM", "CEREBRUM", "NEURO", "CCT", "SCHADEL", "CRANE", "CABEZA"),
    excluded_words=(
        *("SCOUT", "LOCALIZER", "LOCALISER", "TOPOGRAM", "SURVIEW", "SCANOGRAM", "DOSE", "REPORT", "SCREEN"),
        *("BONE", "KNOCHEN", "SHARP", "HR", "ANGIO", "CTA", "CTV", "PERFUSION", "CTP"),
        *("MIP", "VRT", "3D", "COR", "CORONAL", "SAG", "SAGITTAL", "SINUS", "ORBIT", "FACE", "NECK"),
    ),
    image_type_excludes=("LOCALIZER", "MIP", "SCREEN SAVE"),
    min_slices=10,
    min_extent_mm=80.0,
    slice_spacing_mm=(0.3, 7.5),
    orientation="axial",
    max_obliquity_degrees=30.0,
    min_rows=256,
    slice_wise=True,
)


def triage_spec(
    aggregation: Aggregation,
    calibration: Calibration,
    operating_points: tuple[OperatingPoint, ...],
) -> TriageSpec:
    """Return the spec with what the out-of-fold scores gave."""
    return TriageSpec(
        name=NAME,
        version=VERSION,
        task="intracranial haemorrhage on non-contrast head CT",
        code=Code("1386000", "SCT", "Intracranial hemorrhage"),
        site=Code("12738006", "SCT", "Brain"),
        raises_to=Priority.CRITICAL,
        accepts=ACCEPTS,
        preparation=PREPARATION,
        aggregation=aggregation,
        calibration=calibration,
        operating_points=operating_points,
        active_operating_point="balanced",
        display_policy="localising",
        licence=LICENCE,
        citation=CITATION,
    )


UNCALIBRATED = triage_spec(
    Aggregation(1, 1),
    Calibration(LogisticCurve(1.0, 0.0), LogisticCurve(1.0, 0.0)),
    (OperatingPoint("balanced", 0.5),),
)


def write_configs(folder: Path, spec: TriageSpec) -> None:
    """Write `configs/triage.json`, `configs/metadata.json`, `configs/inference.json` and `LICENSE` below `folder`."""
    (folder / "configs").mkdir(parents=True, exist_ok=True)
    content = dataclasses.asdict(spec) | {"raises_to": spec.raises_to.name}
    write_json(folder / SPEC_FILE, content)
    write_json(folder / METADATA_FILE, _metadata(spec.members))
    write_json(folder / "configs/inference.json", inference_config(OUTPUTS))
    (folder / "LICENSE").write_text(_LICENCE, encoding="utf-8")


def write_json(path: Path, content: object) -> None:
    """Write `content` as JSON that reads well and is the same bytes for the same content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _metadata(members: int) -> dict[str, object]:
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json",
        "version": VERSION,
        "changelog": {
            "1.0.0": "first version",
            VERSION: "fitted for longer; a gate; the answer of each network",
        },
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"onnxruntime": "1.20.0"},
        "supported_apps": {},
        "name": NAME,
        "task": UNCALIBRATED.task,
        "description": "Finds slices and studies with intracranial haemorrhage on head CT. Research use.",
        "authors": "The Acuity authors",
        "copyright": "Copyright (c) The Acuity authors",
        "data_source": CITATION,
        "data_type": "CT slices",
        "image_classes": "head CT slice with its neighbours, its mirror image and the inside of the skull",
        "label_classes": "per slice: " + ", ".join(LABELS),
        "pred_classes": "logit of haemorrhage per slice, logits of five subtypes, map of logits",
        "eval_metrics": {},
        "intended_use": "Research and demonstration of triage. Not a medical device.",
        "references": [CITATION],
        "network_data_format": {"inputs": {"image": _image_format()}, "outputs": _output_formats(members)},
    }


def _image_format() -> dict[str, object]:
    low, high = ((edge - PREPARATION.centre) / PREPARATION.scale for edge in PREPARATION.window)
    return {
        "type": "image",
        "format": "hounsfield",
        "modality": "CT",
        "num_channels": len(PREPARATION.channels),
        "spatial_shape": [PREPARATION.rows, PREPARATION.columns],
        "dtype": "float32",
        "value_range": [round(low, 4), round(high, 4)],
        "is_patch_data": False,
        "channel_def": {str(index): name for index, name in enumerate(PREPARATION.channels)},
    }


def _output_formats(members: int) -> dict[str, object]:
    shape = {
        "subtype_logits": len(LABELS) - 1,
        "embedding": EMBEDDING_SIZE,
        "member_logits": members,
        "member_maps": members,
    }
    meaning = {
        "logits": {"0": LABELS[0]},
        "subtype_logits": {str(index): name for index, name in enumerate(LABELS[1:])},
        "map": {"0": "logit of haemorrhage per cell"},
        "embedding": {"0": "features"},
        "novelty": {"0": "distance, 1 is usual"},
        "member_logits": {"0": "fold 1"},
        "member_maps": {"0": "fold 1"},
    }
    return {
        name: {
            "type": "segmentation" if name in MAPS else "probabilities",
            "format": "logits",
            "num_channels": shape.get(name, 1),
            "spatial_shape": [PREPARATION.rows // 4, PREPARATION.columns // 4] if name in MAPS else [1],
            "dtype": "float32",
            "value_range": [],
            "is_patch_data": False,
            "channel_def": meaning[name],
        }
        for name in OUTPUTS
    }


def inference_config(outputs: Sequence[str]) -> dict[str, object]:
    """Return a config that `monai.bundle run` executes: `image` names a .npy file with a prepared tensor."""
    return {
        "imports": ["$import numpy", "$import onnxruntime"],
        "bundle_root": ".",
        "image": "image.npy",
        "output": "output.npz",
        "providers": ["CPUExecutionProvider"],
        "session": "$onnxruntime.InferenceSession(@bundle_root + '/models/model.onnx', providers=@providers)",
        "names": list(outputs),
        "answers": "$dict(zip(@names, @session.run(@names, {'image': numpy.load(@image)})))",
        "run": ["$numpy.savez(@output, **@answers)"],
    }


_LICENCE = f"""The weights and figures in this folder are licensed under the Creative Commons Attribution 4.0
International licence (CC BY 4.0): https://creativecommons.org/licenses/by/4.0/legalcode

They were trained on and derived from

    {CITATION},

which is licensed under CC BY 4.0. Changes: slices were windowed, cropped to the head and resampled; networks were
trained on them. Attribution does not suggest that the authors of the data endorse this work.

No warranty of any kind is given. Research use; not a medical device.
"""
