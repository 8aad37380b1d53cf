"""The recipe of `xr-chest-opacity`: lung opacity on frontal chest radiographs of adults."""

from models.training.lesion_augmentation import Variation
from models.training.lesion_fit import FitPlan
from models.training.lesion_images import Row
from models.training.lesion_recipe import Recipe, flag
from models.training.transfer_network import TransferPlan
from models.triage_spec import Preparation
from triage.findings import Code
from triage.priority import Priority
from triage.selection import Acceptance

FINDINGS = (
    *("Infiltration", "Atelectasis", "Effusion", "Nodule", "Mass", "Cardiomegaly", "Pneumothorax", "Consolidation"),
    "Edema",
)
"""Findings that enough radiographs are labelled with; learned beside the opacity, and not answered."""


def targets(row: Row) -> tuple[float, ...]:
    """Return whether the report speaks of an opacity (NaN where that is not known), and of each finding."""
    found = row["findings"].split("|")
    return flag(row, "opacity_nlp"), *(float(name in found) for name in FINDINGS)


RECIPE = Recipe(
    name="xr-chest-opacity",
    version="1.2.0",
    task="lung opacity on frontal chest radiographs",
    description="Ranks frontal chest radiographs of adults by how likely they show a lung opacity. Research use.",
    code=Code("112033", "DCM", "Abnormal opacity"),
    site=Code("39607008", "SCT", "Lung"),
    raises_to=Priority.URGENT,
    accepts=Acceptance(
        modalities=("DX", "CR"),
        body_parts=("CHEST", "THORAX", "LUNG", "TORAX"),
        excluded_words=(
            "LATERAL",
            "LAT",
            "RIB",
            "RIBS",
            "STERNUM",
            "SPINE",
            "CLAVICLE",
            "ABDOMEN",
            "PAEDIATRIC",
            "CHILD",
        ),
        excluded_makers=("Acuity Simulator",),
        image_type_excludes=("SCREEN SAVE",),
        min_rows=256,
        stills=True,
    ),
    preparation=Preparation(
        unit="stored",
        window=(1.0, 99.0),
        centre=0.498,
        scale=0.502,
        crop="none",
        rows=224,
        columns=224,
        channels=("this",),
        slab_mm=0.0,
        normalisation="percentiles",
    ),
    labels=("opacity", *FINDINGS),
    targets=targets,
    plan=FitPlan(
        network=TransferPlan(labels=1 + len(FINDINGS), rows=224),
        epochs=10,
        images_per_epoch=680,
        batch_size=16,
        label_weights=(1.0, *(0.15 for _ in FINDINGS)),
        mask_weight=0.0,
        variation=Variation(turn=0.1, text=0.3, noise=0.04),
        learning_rate=1e-3,
    ),
    folds=4,
    counted="study",
    active="high_specificity",
    display_policy="triage_only",
    segmentation=None,
    subgroups=("view", "sex"),
    licence="CC-BY-4.0",
    licence_text="no restrictions (NIH Clinical Center); of the published weights: Apache License 2.0",
    citation=(
        "Wang X. et al. 2017, ChestX-ray8, CVPR, provided by the NIH Clinical Center; begun at the weights of "
        "EfficientNet-Lite0 (Tan M., Le Q. 2019, EfficientNet, ICML; Google, fitted to ImageNet)"
    ),
    modality="DX",
    data_words=(
        "Frontal radiographs of adults at one American hospital. Labels come from reports by language processing and\n"
        "are noisy: 44 % of such pneumonia is lung opacity when radiologists read the image. The first stages\n"
        "are those of a network for photographs, as it was published."
    ),
    not_for="children, lateral views, saying that a chest is normal, nodules, pneumothorax, lines and tubes",
    weaknesses=(
        "Labels are noisy, so figures may be too low or too high against a radiologist; nobody read these images.",
        "Sick patients are filmed lying down (AP). Read the figures of AP and PA apart, not the one of both together.",
        "The map is learned from labels of whole images and was not seen to point at lesions, so no boxes are shown.",
    ),
    changes={
        "1.0.0": "first version",
        "1.2.0": "stages of EfficientNet-Lite0, fitted to photographs, instead of pretraining on children; 224x224",
        "1.1.0": "weights for each cell of the map, half of them on pretrained features; 128x128 instead of 192x192",
    },
)
