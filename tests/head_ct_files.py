"""Head CT studies as files, made by the simulator."""

from pathlib import Path

from dicom_gateway.simulator.modality import SimulationPlan, simulated_studies


def write_head_ct(folder: Path, seed: int, bleed: bool) -> list[Path]:
    """Write the axial slices of one simulated head CT and return their files."""
    folder.mkdir(parents=True)
    plan = SimulationPlan(("ct",), studies=1, positive_rate=float(bleed), seed=seed, mean_seconds_between=0.0)
    (study,) = simulated_studies(plan)
    slices = [image for image in study.images if "LOCALIZER" not in image.ImageType]
    for number, image in enumerate(slices):
        image.save_as(folder / f"{number:03}.dcm", enforce_file_format=True)
    return sorted(folder.glob("*.dcm"))
