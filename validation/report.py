"""The report of a validation run: one HTML page without scripts or outside resources, made to be read and printed."""

import json
from html import escape
from pathlib import Path

import numpy as np

from validation.assumed_geometry import missing_slices
from validation.assumed_headers import geometry_of
from validation.case_flow import case_flow
from validation.discrimination import RocArea
from validation.figures import Calibration, Figures, scored_images, scored_studies
from validation.intervals import Estimate, Proportion
from validation.located import HIT_RULE, LocatedFigures
from validation.page import html_page, table
from validation.report_drawings import (
    calibration_drawing,
    forest_drawing,
    froc_drawing,
    interval_bar,
    roc_drawing,
)
from validation.report_examples import examples
from validation.result_document import METHOD, NO_BOXES, Measured, as_object, why_no_dice
from validation.statistics.froc import RATES

LISTED = 60
"""At most so many refused studies are listed in the page; `predictions.csv` has them all."""

NOTICE = (
    "Research use only. Not a medical device. These figures are about the images of this data set and support no "
    "clinical claim. “No flag” does not mean “normal”."
)


def report_html(measured: Measured) -> str:
    """Return the page."""
    title = f"{measured.bundle.identity.name} {measured.bundle.identity.version} on {measured.dataset.description.name}"
    sections = (
        _notices(measured),
        case_flow(as_object(measured)),
        _discrimination(measured),
        _calibration(measured.figures.calibration),
        _operating_points(measured),
        _outlines(measured),
        _located(measured.located),
        _subgroups(measured.figures),
        _limits(measured),
        examples(measured.answers, measured.dataset, measured.bundle.spec.active.threshold),
        _refused(measured),
        _what_was_measured(measured),
    )
    return html_page(f"Validation: {title}", f"Measured {measured.measured_at}.", sections)


def _notices(measured: Measured) -> str:
    overlap, shared = measured.overlap, measured.overlap.patients
    notices = [f'<p class="notice"><strong>{NOTICE}</strong></p>']
    if measured.out_of_fold and measured.out_of_fold == shared:
        notices.append(
            f"<p>The model was trained on {shared} of the {measured.figures.n_patients} patients; each of them was "
            "answered by the one network of its cross-validation that did not see the patient (out of fold). "
            "Thresholds and calibration were chosen on these very scores.</p>"
        )
    elif overlap.trained_on:
        notices.append(
            f'<p class="notice"><strong>These figures are optimistic.</strong> The model was trained on {shared} of '
            f"the {measured.figures.n_patients} patients of this data set; they say how well it remembers, not how "
            "well it does on others. Its model card has figures of patients that the scoring network did not see.</p>"
        )
    elif overlap.trained_on is None:
        notices.append("<p>The bundle does not say which patients it was trained on; overlap cannot be ruled out.</p>")
    return "\n".join(notices)


def _discrimination(measured: Measured) -> str:
    figures = measured.figures
    rows = [
        [name, *_area_cells(area), f"{area.n_positive} of {area.n} positive"]
        for name, area in (("per study", figures.study_auc), ("per image", figures.image_auc))
    ]
    caption = "Area under the ROC curve with 95 % interval, clustered by patient (scale 0 to 1)"
    curves = [one if 0 < one.truth.sum() < len(one.truth) else None
              for one in (scored_studies(measured.answers), scored_images(measured.answers))]  # fmt: skip
    return "<h2>Discrimination</h2>" + table(caption, ("AUC", "value", "", "of"), rows) + roc_drawing(*curves)


def _calibration(found: Calibration | None) -> str:
    if found is None:
        return ""
    cox = found.cox
    rows = [
        ["Brier score (0 is best)", f"{found.brier:.3f}"],
        ["expected calibration error, ten bins", f"{found.expected_error:.3f}"],
        ["calibration slope (1)", escape(cox.reason) if cox.slope is None else f"{cox.slope:.2f}"],
        ["calibration intercept (0)", "–" if cox.intercept is None else f"{cox.intercept:.2f}"],
    ]
    caption = f"Probabilities of {found.n} studies, at the share of positives of this data set"
    return "<h2>Calibration</h2>" + table(caption, ("", ""), rows) + calibration_drawing(found.bins)


def _operating_points(measured: Measured) -> str:
    parts = ["<h2>Operating points, per study</h2>"]
    for at in measured.figures.at_points:
        name = f"{at.point.name}{' (active)' if at.active else ''}: probability at least {at.point.threshold:.3f}"
        shares = (
            ("sensitivity", at.sensitivity),
            ("specificity", at.specificity),
            ("positive predictive value", at.ppv),
            ("negative predictive value", at.npv),
        )
        rows = [[title, *_share_cells(share)] for title, share in shares]
        parts.append(table(name, ("figure", "value", "", "of"), rows))
    share = measured.figures.n_positive_studies / measured.figures.n_studies
    parts.append(
        f"<p>Predictive values hold where {share:.0%} of the studies are positive, as here, and nowhere else.</p>"
    )
    return "\n".join(parts)


def _subgroups(figures: Figures) -> str:
    subgroups = figures.subgroups
    if not subgroups:
        return ""
    rows = [
        [
            escape(f"{one.column}: {one.value}"),
            str(one.n_studies),
            str(one.n_positive_studies),
            str(one.n_images),
            _shown(one.study_auc.estimate),
            _shown(one.image_auc.estimate),
            _shown(one.sensitivity.estimate),
            _shown(one.specificity.estimate),
        ]
        for one in subgroups
    ]
    columns = ("group", "studies", "positive", "images", "study AUC", "image AUC", "sensitivity", "specificity")
    caption = "At the active operating point; 95 % intervals, not adjusted for the number of groups"
    named = [(f"{one.column}: {one.value} ({one.n_studies})", one) for one in subgroups]
    active = next(at for at in figures.at_points if at.active)
    forests = (
        forest_drawing("Study AUC", [(n, one.study_auc.estimate) for n, one in named], figures.study_auc.estimate),
        forest_drawing("Sensitivity", [(n, one.sensitivity.estimate) for n, one in named], active.sensitivity.estimate),
    )
    return "<h2>Subgroups</h2>" + table(caption, columns, rows) + "".join(forests)


def _outlines(measured: Measured) -> str:
    dice = measured.dice
    if dice is None or not dice.values:
        return ""
    low, middle, high = np.percentile(dice.values, [25, 50, 75])
    missed = sum(value == 0 for value in dice.values)
    row = [f"Dice per {dice.per}", f"{np.mean(dice.values):.3f}", f"{middle:.3f}", f"{low:.3f} to {high:.3f}"]
    columns = ("figure", "mean", "median", "middle half", "of", "without overlap")
    return "<h2>Outlines</h2>" + table(
        "A missed lesion counts 0; where neither outlines anything there is nothing to compare",
        columns,
        [[*row, str(len(dice.values)), str(missed)]],
    )


def _located(located: LocatedFigures | None) -> str:
    if located is None or located.froc.cpm is None:
        return ""
    found, interval = located.froc, located.interval
    within = f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
    rows = [["false positives per image", *(f"{rate:g}" for rate in RATES)],
            ["sensitivity", *(f"{one:.3f}" for one in found.sensitivities if one is not None)]]  # fmt: skip
    most = found.n_false_positives / found.n_cases
    said = (
        f"Mean sensitivity (CPM) {found.cpm:.3f}{within}; {found.n_hit} of {found.n_lesions} lesions hit at all. The "
        f"model draws {most:.3f} false positives per image at most; beyond that the curve is level."
    )
    drawn = froc_drawing([one or 0.0 for one in found.sensitivities])
    return f"<h2>Places (FROC)</h2>{table(said, ('',), rows)}{drawn}<p>{escape(HIT_RULE)}</p>"


def _unmeasured(measured: Measured) -> list[str]:
    reason = why_no_dice(measured)
    return [*([f"Dice ({reason})"] if reason else []), *([] if measured.located else [f"FROC ({NO_BOXES})"])]


def _limits(measured: Measured) -> str:
    figures, dataset = measured.figures, measured.dataset
    points = [
        f"Not measured: {'; '.join(missing)}." if (missing := _unmeasured(measured)) else "",
        _shortcut_note(measured.bundle.folder),
        f"{figures.n_refused} of {figures.n_studies} studies were refused ({figures.n_refused_positive} of them "
        "positive). A refused study is shown as not analysed on the list; it is in no AUC and in no rate here.",
        f"{dataset.unlabelled_rows} rows without a label were left out.",
    ]
    if not dataset.is_dicom:
        gaps = sum(bool(missing_slices(tuple(one.order for one in study.images))) for study in dataset.studies)
        points.append(f"The images are no DICOM. {geometry_of(dataset.description).as_text()}")
        points.append(
            f"{gaps} studies lack slices in the set; theirs follow one another without a hole." if gaps else ""
        )
    items = "".join(f"<li>{escape(point)}</li>" for point in points if point)
    return f"<h2>How far these figures reach</h2><ul>{items}</ul><p>{escape(METHOD)}</p>"


def _shortcut_note(bundle_folder: Path) -> str:
    """Return the warning about shortcuts, with the bundle's own figures where it has some."""
    note = (
        "Shortcuts: a score can follow the scanner, the cropping or the place in the stack instead of the lesion, "
        "and an AUC does not show which."
    )
    try:
        shortcuts = json.loads((bundle_folder / "docs/figures.json").read_text(encoding="utf-8"))["shortcuts"]
        listed = ", ".join(f"{name.replace('_', ' ')} {float(value):.2f}" for name, value in shortcuts.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return note
    return f"{note} On its training set, without seeing a lesion, a random forest reached these image AUCs: {listed}."


def _refused(measured: Measured) -> str:
    refused = [one for one in measured.answers if one.probability is None]
    if not refused:
        return ""
    rows = [[escape(one.study.study), "yes" if one.study.label else "no", escape(one.refusal)] for one in refused]
    caption = f"The first {LISTED} of {len(rows)}" if len(rows) > LISTED else "All of them"
    return "<h2>Refused studies</h2>" + table(caption, ("study", "positive", "reason"), rows[:LISTED])


def _what_was_measured(measured: Measured) -> str:
    bundle, dataset, figures = measured.bundle, measured.dataset, measured.figures
    provider = next((one.provider for one in measured.answers if one.provider), "nothing ran")
    rows = [
        ["model", escape(f"{bundle.identity.name} {bundle.identity.version}: {bundle.spec.task}")],
        ["bundle digest", f"<code>{bundle.identity.digest}</code>"],
        ["data set", escape(f"{dataset.description.name}: {dataset.description.task}")],
        ["data set digest", f"<code>{dataset.digest}</code>"],
        ["form", "DICOM files" if dataset.is_dicom else "images"],
        ["licence, citation", escape(f"{dataset.description.licence}; {dataset.description.citation}")],
        ["size", f"{figures.n_images} images, {figures.n_studies} studies, {figures.n_patients} patients"],
        ["device", escape(f"{measured.device}, {provider}")],
        ["environment", escape(", ".join(f"{name} {value}" for name, value in measured.environment.items() if value))],
    ]
    return "<h2>What was measured</h2>" + table("SHA-256 digests over all files", ("", ""), rows)


def _area_cells(area: RocArea) -> list[str]:
    return [_shown(area.estimate), interval_bar(area.estimate)]


def _share_cells(share: Proportion) -> list[str]:
    return [_shown(share.estimate), interval_bar(share.estimate), f"{share.successes} of {share.trials}"]


def _shown(estimate: Estimate) -> str:
    if estimate.value is None:
        return "–"
    if estimate.interval is None:
        return f"{estimate.value:.3f} (too few for an interval)"
    interval = f"({estimate.interval[0]:.3f} to {estimate.interval[1]:.3f})"
    return f'{estimate.value:.3f} <span class="whole">{interval}</span>'
