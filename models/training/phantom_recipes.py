"""The recipes of the demonstrators: small models of what Acuity's own simulator draws, and of nothing else.

They show a new user the whole way from a scanner to the PACS in every modality. What they say has no clinical meaning,
so they are chosen by manufacturer alone and their findings carry codes of their own, never a disease's.
"""

from dataclasses import replace

from models.training.lesion_augmentation import Variation
from models.training.lesion_fit import FitPlan
from models.training.lesion_images import Row
from models.training.lesion_network import LesionPlan
from models.training.lesion_recipe import Recipe, flag
from models.triage_spec import Preparation, Segmentation
from triage.findings import Code
from triage.priority import Priority
from triage.selection import Acceptance

SIMULATOR = ("Acuity Simulator",)
SCHEME = "99ACUITY"
"""A private coding scheme (PS3.3 8.2): drawn lesions are none that a terminology has."""

WIDTHS = (8, 16, 24, 32)


def targets(row: Row) -> tuple[float, ...]:
    """Return whether the image shows the drawn lesion, NaN where too little of it is drawn to be seen."""
    return (flag(row, "lesion"),)


US_PHANTOM_LESION = Recipe(
    name="us-phantom-lesion",
    version="1.0.0",
    task="demonstration: drawn mass on simulated breast ultrasound",
    description=(
        "DEMONSTRATOR WITHOUT CLINICAL MEANING: finds the masses that Acuity's simulator draws into its own "
        "ultrasound images, and sees no other images."
    ),
    code=Code("DRAWN-US", SCHEME, "Drawn mass (demonstration)"),
    site=Code("76752008", "SCT", "Breast"),
    raises_to=Priority.URGENT,
    accepts=Acceptance(
        modalities=("US",),
        sop_class_uids=("1.2.840.10008.5.1.4.1.1.6.1",),
        body_parts=("BREAST",),
        min_rows=128,
        stills=True,
        required_makers=SIMULATOR,
    ),
    preparation=Preparation(
        unit="stored",
        window=(0.0, 255.0),
        centre=110.0,
        scale=60.0,
        crop="none",
        rows=128,
        columns=128,
        channels=("this",),
        slab_mm=0.0,
    ),
    labels=("drawn mass",),
    targets=targets,
    plan=FitPlan(
        network=LesionPlan(channels=1, labels=1, answer="map", stride=2, widths=WIDTHS),
        epochs=12,
        images_per_epoch=384,
        batch_size=16,
        label_weights=(0.5,),
        mask_weight=1.5,
        variation=Variation(turn=0.1, speckle=0.1, ramp=0.2),
        average_decay=0.98,
    ),
    folds=2,
    gate_margin=1.3,
    counted="study",
    active="balanced",
    display_policy="localising",
    segmentation=Segmentation(threshold=0.5, min_share=0.002, code=Code("52988006", "SCT", "Lesion")),
    licence="Apache-2.0",
    licence_text="Apache-2.0",
    citation="Synthetic ultrasound phantoms drawn by Acuity (acuity dataset phantoms); no data of any person",
    modality="US",
    data_words=(
        "Drawn by `acuity dataset phantoms OUT --scanner us --studies 100 --seed 21`: layers of a breast in\n"
        "speckle, half of them with a mass; cysts, lobules of fat and ribs lie in both halves."
    ),
    not_for="anything but showing how Acuity works with its own simulator: patients' images it never sees",
    weaknesses=(
        "Every image is drawn by one program: the figures say how well drawings are told apart, nothing about "
        "patients.",
        "Chosen by manufacturer alone: a file that claims to come from Acuity Simulator is taken for one.",
    ),
)

MR_PHANTOM_FLAIR = replace(
    US_PHANTOM_LESION,
    name="mr-phantom-flair",
    task="demonstration: drawn bright lesion on simulated FLAIR",
    description=(
        "DEMONSTRATOR WITHOUT CLINICAL MEANING: finds the bright lumps that Acuity's simulator draws into its own "
        "FLAIR images, and sees no other images."
    ),
    code=Code("DRAWN-MR", SCHEME, "Drawn bright lesion (demonstration)"),
    site=Code("12738006", "SCT", "Brain"),
    accepts=Acceptance(
        modalities=("MR",),
        body_parts=("HEAD", "BRAIN"),
        required_words=("FLAIR", "TIRM"),
        min_slices=8,
        min_extent_mm=60.0,
        slice_spacing_mm=(0.8, 9.0),
        orientation="axial",
        max_obliquity_degrees=35.0,
        min_rows=128,
        slice_wise=True,
        required_makers=SIMULATOR,
    ),
    preparation=Preparation(
        unit="stored",
        window=(1.0, 99.5),
        centre=0.3,
        scale=0.25,
        crop="none",
        rows=128,
        columns=128,
        channels=("this", "previous", "next"),
        slab_mm=5.0,
        normalisation="percentiles",
    ),
    labels=("drawn bright lesion",),
    # Judged by the median over a series, which differs little between heads.
    gate_margin=1.0,
    plan=replace(
        US_PHANTOM_LESION.plan,
        network=LesionPlan(channels=3, labels=1, answer="map", stride=2, widths=WIDTHS),
        variation=Variation(turn=0.2, noise=0.04, ramp=0.2),
    ),
    segmentation=Segmentation(threshold=0.5, min_share=0.001, code=Code("52988006", "SCT", "Lesion")),
    citation="Synthetic FLAIR phantoms drawn by Acuity (acuity dataset phantoms); no data of any person",
    modality="MR",
    data_words=(
        "Drawn by `acuity dataset phantoms OUT --scanner mr --studies 48 --seed 21`: heads, half of them with a\n"
        "lump of 8 to 50 ml; rims at the ventricles and small bright spots lie in both halves."
    ),
)

XR_PHANTOM_OPACITY = replace(
    US_PHANTOM_LESION,
    name="xr-phantom-opacity",
    task="demonstration: drawn opacity on simulated chest radiographs",
    description=(
        "DEMONSTRATOR WITHOUT CLINICAL MEANING: finds the opacities that Acuity's simulator draws into its own chest "
        "radiographs, and sees no other images."
    ),
    code=Code("DRAWN-DX", SCHEME, "Drawn lung opacity (demonstration)"),
    site=Code("39607008", "SCT", "Lung"),
    accepts=Acceptance(
        modalities=("DX",),
        body_parts=("CHEST",),
        min_rows=256,
        stills=True,
        required_makers=SIMULATOR,
    ),
    preparation=Preparation(
        unit="stored",
        window=(1.0, 99.0),
        centre=0.5,
        scale=0.25,
        crop="none",
        rows=128,
        columns=128,
        channels=("this",),
        slab_mm=0.0,
        normalisation="percentiles",
    ),
    labels=("drawn opacity",),
    plan=replace(
        US_PHANTOM_LESION.plan,
        variation=Variation(turn=0.08, noise=0.03, mirrored=False),
    ),
    citation="Synthetic chest radiographs drawn by Acuity (acuity dataset phantoms); no data of any person",
    modality="DX",
    data_words=(
        "Drawn by `acuity dataset phantoms OUT --scanner dx --studies 120 --seed 21`: chests, half of them with a\n"
        "patchy opacity in one lung; breasts, nipples and calcified nodules lie over both halves."
    ),
)
