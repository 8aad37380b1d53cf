"""The CT scanners of a rehearsal's scenario as they are on one day, to send real images to a running platform."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path

from dicom_gateway.simulator import scanners as simulated
from dicom_gateway.simulator.modality import Posting, SimulationPlan
from triage.errors import InvalidSetting
from validation.drift.scenario import Scanner, Trouble, changed, read_scenario

LOGO = "GENERAL HOSPITAL"
THINNEST_MM, THICKEST_MM = 0.5, 10.0


def on_a_day(plan: SimulationPlan, scenario: Path | None, on: str | None) -> SimulationPlan:
    """Return the plan with the scanners that send on a day of the scenario.

    A model's own trouble is nothing that a scanner does.

    Raises:
        InvalidSetting: the plan is not about CT, one of the two is missing, no scanner sends on that day, or slices are
            too thin or too thick to be drawn.
        InvalidDataset: there is no such scenario, or it has a mistake.
    """
    if scenario is None or on is None or plan.scanners != ("ct",):
        raise InvalidSetting("--scenario SCENARIO.toml and --on DATE: needed together, with --scanner ct")
    played, day = read_scenario(scenario), _day(on)
    postings = []
    for number, scanner in enumerate(played.scanners):
        acting = played.acting_on(scanner, day)
        if not any(one.kind == "mute" for one in acting):
            now = changed(scanner, acting)
            if not THINNEST_MM <= now.slice_thickness_mm <= THICKEST_MM:
                raise InvalidSetting(
                    f"{scenario}: {scanner.ae_title}: slices of {now.slice_thickness_mm:g} mm, "
                    f"a simulated CT makes {THINNEST_MM:g} to {THICKEST_MM:g} mm"
                )
            postings.append(Posting(_simulated(number, scanner, now, acting), scanner.studies_per_day, now.prevalence))
    if not postings:
        raise InvalidSetting(f"{scenario}: no scanner sends on {day}")
    return replace(plan, department=tuple(postings), started=datetime.combine(day, time(8), UTC))


def _simulated(number: int, usual: Scanner, now: Scanner, acting: list[Trouble]) -> simulated.Scanner:
    """Return the simulated CT scanner that writes what the scenario's scanner does now."""
    shipped = simulated.SCANNERS["ct"]
    maker, _, model = now.device.partition(" ")
    return replace(
        shipped[number % len(shipped)],
        maker=maker,
        model=model or maker,
        software=now.software,
        protocol=now.protocol,
        kernel=now.kernel,
        exposure_mas=now.exposure_mas,
        slice_mm=now.slice_thickness_mm,
        dose=now.exposure_mas / usual.exposure_mas,
        is_sharp=now.kernel != usual.kernel,
        logo=LOGO if any(one.kind == "logo" for one in acting) else "",
        own_ae_title=now.ae_title,
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidSetting(f"--on {text!r}: needed a date like 2026-07-06") from error
