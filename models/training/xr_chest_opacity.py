"""The recipe of `xr-chest-opacity`: lung opacity on frontal chest radiographs of adults."""

from models.training.lesion_augmentation import Variation
from models.training.lesion_fit import FitPlan
from models.training.lesion_images import Row
from models.training.lesion_network import LesionPlan
from models.training.lesion_recipe import Pretraining, Recipe, flag
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


def paediatric_targets(row: Row) -> tuple[float, ...]:
    """Return whether a child's radiograph shows pneumonia, and nothing about the findings."""
    return flag(row, "pneumonia"), *(float("nan") for _ in FINDINGS)


RECIPE = Recipe(
    name="xr-chest-opacity",
    version="1.1.0",
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
        centre=0.45,
        scale=0.25,
        crop="none",
        rows=128,
        columns=128,
        channels=("this",),
        slab_mm=0.0,
        normalisation="percentiles",
    ),
    labels=("opacity", *FINDINGS),
    targets=targets,
    plan=FitPlan(
        network=LesionPlan(
            channels=1, labels=1 + len(FINDINGS), answer="cells", stride=16, rows=128, widths=(16, 32, 64, 112)
        ),
        epochs=12,
        images_per_epoch=700,
        label_weights=(1.0, *(0.15 for _ in FINDINGS)),
        mask_weight=0.0,
        variation=Variation(turn=0.1, text=0.3, noise=0.04),
        learning_rate=2e-3,
    ),
    folds=4,
    counted="study",
    active="high_specificity",
    display_policy="triage_only",
    segmentation=None,
    subgroups=("view", "sex"),
    licence="CC-BY-4.0",
    licence_text="no restrictions (NIH Clinical Center) and, for pretraining, CC BY 4.0",
    citation=(
        "Wang X. et al. 2017, ChestX-ray8, CVPR, provided by the NIH Clinical Center; pretraining: Kermany D. et al. "
        "2018, Labeled Optical Coherence Tomography and Chest X-Ray Images, doi 10.17632/rscbjbr9sj.2"
    ),
    modality="DX",
    data_words=(
        "Frontal radiographs of adults at one American hospital. Labels come from reports by language processing and\n"
        "are noisy: 44 % of such pneumonia is lung opacity when radiologists read the image. Pretrained on images\n"
        "of children, on which no figure is quoted."
    ),
    not_for="children, lateral views, saying that a chest is normal, nodules, pneumothorax, lines and tubes",
    weaknesses=(
        "Labels are noisy, so figures may be too low or too high against a radiologist; nobody read these images.",
        "Sick patients are filmed lying down (AP). Read the figures of AP and PA apart, not the one of both together.",
        "The map is learned from labels of whole images and was not seen to point at lesions, so no boxes are shown.",
    ),
    changes={
        "1.0.0": "first version",
        "1.1.0": "weights for each cell of the map, half of them on pretrained features; 128x128 instead of 192x192",
    },
    pretraining=Pretraining("pretrain", paediatric_targets, epochs=4, images_per_epoch=3200),
)
