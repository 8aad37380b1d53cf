"""The files of a planar model's bundle besides its weights and its card."""

import dataclasses
from pathlib import Path

import monai
import numpy as np
import torch

from models.bundle import METADATA_FILE
from models.training.bundle_files import inference_config, write_json
from models.training.gauge import EMBEDDING_SIZE
from models.training.lesion_recipe import Recipe
from models.triage_spec import SPEC_FILE, Aggregation, Calibration, OperatingPoint, TriageSpec

OUTPUTS = ("logits", "map", "embedding", "novelty", "member_logits", "member_maps")

LICENCES = {
    "Apache-2.0": "Apache License, Version 2.0: https://www.apache.org/licenses/LICENSE-2.0",
    "CC-BY-4.0": "Creative Commons Attribution 4.0 International: https://creativecommons.org/licenses/by/4.0/legalcode",
    "CC-BY-NC-SA-4.0": (
        "Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International (research only, no commercial use): "
        "https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode"
    ),
}


def triage_spec(recipe: Recipe, calibration: Calibration, points: tuple[OperatingPoint, ...]) -> TriageSpec:
    """Return the spec with what the out-of-fold scores gave; a study is as suspicious as its worst image."""
    return TriageSpec(
        name=recipe.name,
        version=recipe.version,
        task=recipe.task,
        code=recipe.code,
        site=recipe.site,
        raises_to=recipe.raises_to,
        accepts=recipe.accepts,
        preparation=recipe.preparation,
        aggregation=Aggregation(smooth_slices=1, top_slices=1),
        calibration=calibration,
        operating_points=points,
        active_operating_point=recipe.active,
        display_policy=recipe.display_policy,
        licence=recipe.licence,
        citation=recipe.citation,
        segmentation=recipe.segmentation,
        members=recipe.folds,
    )


def write_configs(folder: Path, recipe: Recipe, spec: TriageSpec) -> None:
    """Write `configs/triage.json`, `configs/metadata.json`, `configs/inference.json` and `LICENSE` below `folder`."""
    (folder / "configs").mkdir(parents=True, exist_ok=True)
    write_json(folder / SPEC_FILE, dataclasses.asdict(spec) | {"raises_to": spec.raises_to.name})
    write_json(folder / METADATA_FILE, _metadata(recipe))
    write_json(folder / "configs/inference.json", inference_config(OUTPUTS))
    (folder / "LICENSE").write_text(_licence(recipe), encoding="utf-8")


def _metadata(recipe: Recipe) -> dict[str, object]:
    preparation, stride = recipe.preparation, recipe.plan.network.stride
    low, high = ((edge - preparation.centre) / preparation.scale for edge in preparation.value_range)
    whole = {"type": "probabilities", "format": "logits", "dtype": "float32", "value_range": [], "is_patch_data": False}
    cells = [preparation.rows // stride, preparation.columns // stride]
    one = {"spatial_shape": [1]}
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json",
        "version": recipe.version,
        "changelog": dict(recipe.changes),
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"onnxruntime": "1.20.0"},
        "supported_apps": {},
        "name": recipe.name,
        "task": recipe.task,
        "description": recipe.description,
        "authors": "The Acuity authors",
        "copyright": "Copyright (c) The Acuity authors",
        "data_source": recipe.citation,
        "data_type": f"{recipe.modality} images",
        "image_classes": f"{recipe.modality} image: " + ", ".join(preparation.channels),
        "label_classes": ", ".join(recipe.labels),
        "pred_classes": f"logit of {recipe.labels[0]} per image, map of logits, embedding, novelty",
        "eval_metrics": {},
        "intended_use": "Research and demonstration of triage. Not a medical device.",
        "references": [recipe.citation],
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "modality": recipe.modality,
                    "num_channels": len(preparation.channels),
                    "spatial_shape": [preparation.rows, preparation.columns],
                    "dtype": "float32",
                    "value_range": [round(low, 4), round(high, 4)],
                    "is_patch_data": False,
                    "channel_def": {str(index): name for index, name in enumerate(preparation.channels)},
                }
            },
            "outputs": {
                "logits": whole | one | {"num_channels": 1, "channel_def": {"0": recipe.labels[0]}},
                "map": whole
                | {"type": "segmentation", "num_channels": 1, "spatial_shape": cells, "channel_def": {"0": "lesion"}},
                "embedding": whole | one | {"num_channels": EMBEDDING_SIZE, "channel_def": {"0": "features"}},
                "novelty": whole | one | {"num_channels": 1, "channel_def": {"0": "distance, 1 is usual"}},
                "member_logits": whole | one | {"num_channels": recipe.folds, "channel_def": {"0": "fold 1"}},
                "member_maps": whole
                | {"num_channels": recipe.folds, "spatial_shape": cells, "channel_def": {"0": "fold 1"}},
            },
        },
    }


def _licence(recipe: Recipe) -> str:
    return f"""The weights and figures in this folder are licensed under
{LICENCES[recipe.licence]}

They were trained on and derived from

    {recipe.citation}

whose licence is: {recipe.licence_text}. Changes: images were scaled and resampled; networks were fitted to them and
to their labels. No image is part of this folder. The authors of the data endorse nothing here.

The weights come as they are, without warranty of any kind. They are for research and are not a medical device.
"""
