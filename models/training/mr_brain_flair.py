"""The recipe of `mr-brain-flair`: bright (abnormal) tissue on axial FLAIR images of the brain, outlined."""

from models.training.lesion_augmentation import Variation
from models.training.lesion_fit import FitPlan
from models.training.lesion_images import Row
from models.training.lesion_network import LesionPlan
from models.training.lesion_recipe import LeavingOut, Recipe, flag
from models.triage_spec import Preparation, Segmentation
from triage.findings import Code
from triage.priority import Priority
from triage.selection import Acceptance


def targets(row: Row) -> tuple[float, ...]:
    """Return whether the slice shows abnormal signal."""
    return (flag(row, "abnormal"),)


RECIPE = Recipe(
    name="mr-brain-flair",
    version="1.2.0",
    task="abnormal FLAIR signal of the brain",
    description="Outlines abnormal signal on axial FLAIR images of the brain. Research use, non-commercial only.",
    code=Code("301766008", "SCT", "Lesion of Brain"),
    site=Code("12738006", "SCT", "Brain"),
    raises_to=Priority.URGENT,
    accepts=Acceptance(
        modalities=("MR",),
        body_parts=("HEAD", "BRAIN", "CEREBRUM", "NEURO", "SCHADEL", "CRANE", "CABEZA"),
        required_words=("FLAIR", "TIRM", "DARKFLUID"),
        excluded_words=("LOCALIZER", "SCOUT", "SAG", "SAGITTAL", "COR", "CORONAL", "MIP", "MAP", "POST", "GD", "3D"),
        excluded_makers=("Acuity Simulator",),
        image_type_excludes=("LOCALIZER", "MIP", "SCREEN SAVE"),
        min_slices=8,
        min_extent_mm=60.0,
        slice_spacing_mm=(0.8, 9.0),
        orientation="axial",
        max_obliquity_degrees=35.0,
        min_rows=128,
        slice_wise=True,
    ),
    preparation=Preparation(
        unit="stored",
        window=(1.0, 99.5),
        centre=0.3,
        scale=0.25,
        crop="none",
        rows=192,
        columns=192,
        channels=("this", "previous", "next"),
        slab_mm=5.0,
        normalisation="percentiles",
    ),
    labels=("abnormal",),
    targets=targets,
    plan=FitPlan(
        network=LesionPlan(channels=3, labels=1, answer="map", stride=2),
        epochs=40,
        images_per_epoch=1280,
        batch_size=16,
        learning_rate=2e-3,
        label_weights=(0.5,),
        mask_weight=1.5,
        variation=Variation(turn=0.3, noise=0.04, ramp=0.25),
        positive_share=0.6,
    ),
    folds=3,
    counted="image",
    active="high_specificity",
    display_policy="localising",
    segmentation=Segmentation(threshold=0.5, min_share=0.0005, code=Code("52988006", "SCT", "Lesion")),
    subgroups=("institution",),
    leaving_out=LeavingOut("institution", epochs=12),
    licence="CC-BY-NC-SA-4.0",
    licence_text="CC BY 3.0 (images) and CC BY-NC-SA 4.0 (masks)",
    citation=(
        "Buda M., Saha A., Mazurowski M. 2019, Association of genomic subtypes of lower-grade gliomas with shape "
        "features automatically extracted by a deep learning algorithm, Computers in Biology and Medicine 109, "
        "doi 10.1016/j.compbiomed.2019.05.002; images: TCIA TCGA-LGG, doi 10.7937/K9/TCIA.2016.L4LTD3TK"
    ),
    modality="MR",
    data_words=(
        "FLAIR slices of patients with lower-grade glioma from five American institutions (three of them here),\n"
        "outlined by a researcher and checked by a radiologist."
    ),
    not_for="commercial use, children, follow-up after treatment, stroke, multiple sclerosis, saying a brain is normal",
    changes={
        "1.2.0": "four times as long training as the first version",
        "1.1.0": "twice as long training in smaller batches; mean Dice per study 0.759, 0.675 before",
        "1.0.0": "first version",
    },
    weaknesses=(
        "No study is negative: figures show that abnormal slices are found, not that normal studies are left alone.",
        "Every patient has a glioma; small white matter lesions, infarcts and oedema of other cause were not learned.",
        "Signal near the ventricles and at the base of the skull may be taken for a lesion.",
    ),
)
