"""A scenario's CT scanners send real images, changed from the day on which its troubles begin."""

from pathlib import Path

import numpy as np
import pytest

from deploy.rehearsed_scanners import on_a_day
from dicom_gateway.simulator.modality import SimulationPlan, simulated_studies
from triage.errors import InvalidSetting

PLAN = SimulationPlan(("ct",), studies=6, positive_rate=0.5, seed=3, mean_seconds_between=0.0)
BEFORE, SINCE = "2026-07-05", "2026-07-06"


def slices_of(scenario: str, on: str, ae_title: str, plan: SimulationPlan = PLAN):
    """Return the slices of the first study that this scanner sends on the day."""
    studies = simulated_studies(on_a_day(plan, Path(scenario), on))
    images = next(one.images for one in studies if one.ae_title == ae_title)
    return [one for one in images if one.ImageType[2] == "AXIAL"]


def hounsfield(image):
    return image.pixel_array.astype(float) * float(image.RescaleSlope) + float(image.RescaleIntercept)


def noise(image):
    """Return the standard deviation of neighbours' differences inside the head, in HU."""
    pixels = hounsfield(image)
    inside = (pixels[:, 1:] > 0) & (pixels[:, 1:] < 80) & (pixels[:, :-1] > 0) & (pixels[:, :-1] < 80)
    return float(np.std(np.diff(pixels, axis=1)[inside]))


def test_a_kernel_changes_its_name_and_sharpens_the_image():
    before, since = slices_of("kernel", BEFORE, "CT2"), slices_of("kernel", SINCE, "CT2")

    assert (before[0].ConvolutionKernel, since[0].ConvolutionKernel) == ("STANDARD", "BONEPLUS")
    assert noise(since[15]) > 1.2 * noise(before[15])


def test_less_dose_is_less_exposure_and_more_noise():
    before, since = slices_of("dose", BEFORE, "CT_ER"), slices_of("dose", SINCE, "CT_ER")

    assert float(since[0].Exposure) == pytest.approx(0.75 * float(before[0].Exposure), abs=1)
    assert noise(since[15]) > noise(before[15])


def department_of(folder, scanner="", trouble=""):
    """Write a scenario of one scanner and return its path."""
    path = folder / "department.toml"
    path.write_text(
        f"start = 2026-07-01\ndays = 9\n[[scanners]]\nae_title = 'A'\nstudies_per_day = 9\n{scanner}\n"
        f"[[troubles]]\nbegins = 2026-07-06\n{trouble}\n",
        encoding="utf-8",
    )
    return str(path)


def test_more_dose_than_usual_is_less_noise(tmp_path):
    scenario = department_of(tmp_path, trouble="kind = 'dose'\namount = 4")
    before, since = (slices_of(scenario, on, "A") for on in (BEFORE, SINCE))

    assert float(since[0].Exposure) == 4 * float(before[0].Exposure)
    # Four times the photons are half the noise; half of the variance between neighbours is the brain's own, and stays.
    assert noise(since[15]) < 0.85 * noise(before[15])


@pytest.mark.parametrize("thickness_mm", [1.25, 2.5, 7.5])
def test_slices_are_as_thick_as_the_scenario_says(tmp_path, thickness_mm):
    usual = slices_of(department_of(tmp_path, trouble="kind = 'mute'\nscanner = 'A'"), BEFORE, "A")
    scenario = department_of(tmp_path, f"slice_thickness_mm = {thickness_mm}", "kind = 'logo'")
    images = slices_of(scenario, BEFORE, "A")

    heights = [float(one.ImagePositionPatient[2]) for one in images]
    assert {float(one.SliceThickness) for one in images} == {thickness_mm}
    assert np.diff(heights) == pytest.approx(thickness_mm)
    # The same head, cut otherwise: as long to within a slice, of the same mean.
    assert len(images) * thickness_mm == pytest.approx(len(usual) * 5.0, abs=thickness_mm)
    middles = [np.mean([hounsfield(one).mean() for one in each]) for each in (images, usual)]
    assert middles[0] == pytest.approx(middles[1], abs=25)
    thinner = thickness_mm < 5
    assert (noise(images[len(images) // 2]) > noise(usual[len(usual) // 2])) == thinner


def test_slices_that_no_scanner_makes_are_refused(tmp_path):
    scenario = department_of(tmp_path, "slice_thickness_mm = 0.1", "kind = 'logo'")

    with pytest.raises(InvalidSetting, match=r"A: slices of 0.1 mm, a simulated CT makes 0.5 to 10 mm"):
        on_a_day(PLAN, Path(scenario), BEFORE)


def test_another_vendor_writes_other_names():
    before, since = slices_of("vendor", BEFORE, "CT1")[0], slices_of("vendor", SINCE, "CT1")[0]

    assert (before.Manufacturer, before.ManufacturerModelName) == ("Acuity Simulator Alpha", "Harrier 64")
    assert (since.Manufacturer, since.ManufacturerModelName) == ("Acuity Simulator Delta", "Kestrel 256")
    assert since.SoftwareVersions == "Delta Kestrel 256 1.0"


def test_a_logo_is_burned_into_every_slice_outside_the_head():
    before, since = slices_of("logo", BEFORE, "CT2"), slices_of("logo", SINCE, "CT2")

    assert {one.BurnedInAnnotation for one in since} == {"YES"}
    corners = [hounsfield(one)[6:24, 6:120] for one in (before[0], since[0], since[-1])]
    assert [bool((corner > 1000).any()) for corner in corners] == [False, True, True]


def test_a_prevalence_of_its_own_makes_more_or_fewer_lesions(tmp_path):
    scenario = tmp_path / "all.toml"
    scenario.write_text(
        "start = 2026-07-01\ndays = 9\n[[scanners]]\nae_title = 'A'\nstudies_per_day = 9\nprevalence = 0.001\n"
        "[[troubles]]\nkind = 'prevalence'\nscanner = 'A'\nbegins = 2026-07-06\namount = 0.999\n",
        encoding="utf-8",
    )
    plan = SimulationPlan(("ct",), studies=2, positive_rate=0.5, seed=3, mean_seconds_between=0.0)

    lesions = [[one.has_lesion for one in simulated_studies(on_a_day(plan, scenario, on))] for on in (BEFORE, SINCE)]

    assert lesions == [[False, False], [True, True]]


def test_a_muted_scanner_sends_nothing_and_a_muted_department_says_so(tmp_path):
    plan = on_a_day(PLAN, Path("mute"), SINCE)
    assert [one.scanner.ae_title for one in plan.department] == ["CT2", "CT_ER"]

    alone = tmp_path / "alone.toml"
    alone.write_text(
        "start = 2026-07-01\ndays = 9\n[[scanners]]\nae_title = 'A'\nstudies_per_day = 9\n"
        "[[troubles]]\nkind = 'mute'\nbegins = 2026-07-06\n",
        encoding="utf-8",
    )
    with pytest.raises(InvalidSetting, match="no scanner sends on 2026-07-06"):
        on_a_day(PLAN, alone, SINCE)


def test_two_days_share_no_uid():
    uids = [{one.SOPInstanceUID for one in slices_of("logo", on, "CT2")} for on in (BEFORE, SINCE)]

    assert uids[0].isdisjoint(uids[1])


@pytest.mark.parametrize(
    ("scanner", "scenario", "on"),
    [("us", "logo", SINCE), ("ct", None, SINCE), ("ct", "logo", None), ("ct", "logo", "x")],
)
def test_what_cannot_be_played_is_refused_in_words(scanner, scenario, on):
    plan = SimulationPlan((scanner,), studies=1, positive_rate=0.5, seed=3, mean_seconds_between=0.0)

    with pytest.raises(InvalidSetting, match="--on"):
        on_a_day(plan, scenario and Path(scenario), on)
