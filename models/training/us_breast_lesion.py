"""The recipe of `us-breast-lesion`: where the lesion lies on a breast ultrasound image, and how suspicious it looks."""

from models.training.lesion_augmentation import Variation
from models.training.lesion_fit import FitPlan
from models.training.lesion_images import Row
from models.training.lesion_network import LesionPlan
from models.training.lesion_recipe import LeavingOut, Recipe
from models.triage_spec import Preparation, Segmentation
from triage.findings import Code
from triage.priority import Priority
from triage.selection import Acceptance

LESION = Code("52988006", "SCT", "Lesion")


def targets(row: Row) -> tuple[float, ...]:
    """Return histology (malignant or not), and whether the reader's BI-RADS category reached 3, 4 and 5."""
    category = int(row["birads"])
    return float(row["malignant"]), float(category >= 3), float(category >= 4), float(category >= 5)


RECIPE = Recipe(
    name="us-breast-lesion",
    version="1.1.0",
    task="suspicious lesion on breast ultrasound",
    description="Outlines the lesion on breast ultrasound images and ranks how suspicious it looks. Research use.",
    code=Code("108369006", "SCT", "Neoplasm"),
    site=Code("76752008", "SCT", "Breast"),
    raises_to=Priority.URGENT,
    accepts=Acceptance(
        modalities=("US",),
        sop_class_uids=("1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.3.1"),
        body_parts=("BREAST", "MAMMA", "BRUST", "SEIN", "MAMA"),
        excluded_words=("DOPPLER", "COLOR", "COLOUR", "ELASTO", "ELASTOGRAPHY", "REPORT", "WORKSHEET", "3D", "ABUS"),
        excluded_makers=("Acuity Simulator",),
        image_type_excludes=("SCREEN SAVE",),
        min_rows=128,
        stills=True,
    ),
    preparation=Preparation(
        unit="stored",
        window=(0.0, 255.0),
        centre=80.0,
        scale=60.0,
        crop="none",
        rows=192,
        columns=192,
        channels=("this",),
        slab_mm=0.0,
    ),
    labels=("malignant", "BI-RADS 3 or higher", "BI-RADS 4 or higher", "BI-RADS 5"),
    targets=targets,
    plan=FitPlan(
        network=LesionPlan(
            channels=1, labels=4, answer="head", stride=2, drop=0.3, widths=(16, 32, 64, 88), context=True
        ),
        epochs=40,
        images_per_epoch=1120,
        label_weights=(1.0, 0.3, 0.4, 0.3),
        mask_weight=2.0,
        variation=Variation(turn=0.15, speckle=0.3, text=0.3, ramp=0.3, gamma=0.4),
        positive_share=0.45,
        batch_size=16,
        learning_rate=2e-3,
        dice_of_each=True,
    ),
    folds=4,
    fold_column="fold",
    counted="study",
    active="balanced",
    display_policy="localising",
    segmentation=Segmentation(threshold=0.5, min_share=0.001, code=LESION),
    subgroups=("device", "birads"),
    leaving_out=LeavingOut("device", epochs=12),
    licence="CC-BY-4.0",
    licence_text="permissive, with citation",
    citation=(
        "Gómez-Flores W. et al. 2024, BUS-BRA: A breast ultrasound dataset for assessing computer-aided diagnosis "
        "systems, Medical Physics 51(4), doi 10.1002/mp.16812"
    ),
    modality="US",
    data_words=(
        "Stills of breast lesions from one Brazilian institute, four scanners, cropped by the authors; truth from\n"
        "histology, outlines by a radiologist. The authors' own four patient-wise folds are used."
    ),
    not_for="finding lesions in normal breasts (every image shows one), Doppler, elastography, men, implants",
    weaknesses=(
        "Every training image shows a lesion, so in a normal breast something will be outlined all the same.",
        "One institute; two scanners of one maker gave nine of ten images. See the figures by device.",
        "Calipers and words are burned into many images. Words were burned in at random in training against that.",
        "Cysts with debris and fat lobules look like solid lesions on a still.",
    ),
    changes={
        "1.0.0": "first version",
        "1.1.0": "a stage that sees the whole image, the overlap of each image by itself, 40 epochs in smaller batches",
    },
)
