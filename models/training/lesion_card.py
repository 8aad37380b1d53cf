"""The model card of a planar model: words around figures that the recipe computed, so that none is typed by hand."""

from dataclasses import dataclass

from models.training.card import gate_text, shown
from models.training.export import Parity
from models.training.figures import Estimate
from models.training.gate import GateFigures
from models.training.left_out import LeftOutFigure
from models.training.lesion_figures import LesionFigures
from models.training.lesion_recipe import Recipe
from models.training.shortcuts import Shortcuts
from models.triage_spec import TriageSpec


@dataclass(frozen=True, slots=True)
class LesionReport:
    """All that the recipe measured; `docs/figures.json` is exactly this."""

    figures: LesionFigures
    gate: GateFigures
    shortcuts: Shortcuts
    parity: Parity
    members: int
    parameters: int
    command: str
    left_out: tuple[LeftOutFigure, ...] = ()


def card_text(report: LesionReport, recipe: Recipe, spec: TriageSpec, weights_sha256: str) -> str:
    """Return `docs/README.md` of the bundle as Markdown."""
    sections = (
        _what_it_is(report, recipe, spec, weights_sha256),
        _use_and_data(recipe, spec),
        _figures(report, recipe),
        _subgroups(report.figures),
        _left_out(report.left_out),
        _operating_points(report.figures, spec),
        gate_text(report.gate),
        _weaknesses(report, recipe),
        _how_to_repeat(report),
    )
    return "\n".join(section for section in sections if section)


SMALL = "small residual networks with a top-down path"
KINDS = {
    "map": (
        SMALL,
        "The logit of an image is the mean of its map's highest cells: the map shows what the answer rests on.",
    ),
    "head": (SMALL, "The logit of an image comes from features inside the outlined lesion, around it and overall."),
    "transfer": (
        "times the first four stages of EfficientNet-Lite0 as fitted to photographs, the fourth fitted on to this set",
        "Beside it a linear look at the fourth stage as it was published answers. The logit is the mean of the map,\n"
        "  so the map shows all of what it is.",
    ),
}
"""Of each kind of network: what it is, and how it answers."""


def _what_it_is(report: LesionReport, recipe: Recipe, spec: TriageSpec, weights_sha256: str) -> str:
    preparation = spec.preparation
    low, high = (f"{edge:g}" for edge in preparation.window)
    values = f"values from {low} to {high}"
    if preparation.normalisation == "percentiles":
        values = f"values from percentile {low} to percentile {high} of the volume or image"
    shows = "outlines the lesion" if spec.segmentation else "points at what raised the score; it does not measure"
    if spec.display_policy != "localising":
        shows = "is not shown to readers: it says what the score is the sum of, not where a lesion lies"
    kind, answers = KINDS[recipe.plan.network.answer]
    return f"""# {spec.name} {spec.version}

{recipe.description} Finding: {spec.code.meaning} ({spec.code.scheme} {spec.code.value}), {spec.site.meaning}.

**AI result, not a diagnosis. Research use only. Not a medical device.** "No flag" does not mean "normal".

## What it is
- {report.members} {kind} ({report.parameters} parameters each), one per fold,
  their logits and maps averaged. {answers}
- Input: {preparation.rows}x{preparation.columns} cells over the whole image, {values};
  channels: {", ".join(preparation.channels)}.
- The map {shows}. Score of a study: that of its most suspicious image; Platt scaling.
- Weights: `models/model.onnx`, SHA-256 `{weights_sha256}`.
"""


def _use_and_data(recipe: Recipe, spec: TriageSpec) -> str:
    return f"""## Intended use
To order a reading list in research and demonstration: a flag raises a study, nothing ever lowers one.
Not for diagnosis, and not for: {recipe.not_for}.

## Data and licence
{spec.citation}. Licence of the data: {recipe.licence_text}; of the weights: {spec.licence}.
{recipe.data_words}
"""


def _figures(report: LesionReport, recipe: Recipe) -> str:
    figures, shortcuts, parity = report.figures, report.shortcuts, report.parity
    brier = figures.brier_of_curves
    forest = "a random forest in the same folds; what remains without seeing a lesion"
    rows = [("image AUC", shown(figures.image_auc), "other sites, makers and protocols")]
    if figures.study_auc is not None and figures.studies != figures.labelled_images:
        rows.append(("study AUC", shown(figures.study_auc), "a real list, where few are positive"))
    if figures.masks is not None:
        masks, per = figures.masks, figures.masks.counted_per
        rows += [
            (
                f"Dice per {per}, mean",
                shown(masks.dice_mean),
                f"{masks.compared} compared, {masks.missed} missed count 0",
            ),
            (f"Dice per {per}, median", f"{masks.dice_median:.3f}", "one reader's outline is not the truth"),
            ("highest cell of the map inside the lesion", shown(masks.peak_inside), "images with a lesion only"),
            ("share of the map inside the lesion", f"{masks.map_share_inside:.3f}", "the same"),
        ]
    rows += [
        ("Brier score, images", f"{figures.image_brier:.3f}", "calibration elsewhere: fitted on these very scores"),
        (
            "the same, curve not fitted to the patient: Platt, temperature, isotonic",
            f"{brier.platt:.4f}, {brier.temperature:.4f}, {brier.isotonic:.4f}",
            "the first is used",
        ),
        ("shortcut: 16x16 thumbnail, image AUC", f"{shortcuts.thumbnail_16:.3f}", forest),
        ("shortcut: outer frame only, image AUC", f"{shortcuts.outer_frame:.3f}", "the same"),
        ("shortcut: width, height, file size, image AUC", f"{shortcuts.size_only:.3f}", "the same"),
        (
            "largest difference torch to ONNX Runtime",
            f"{parity.max_abs_difference:.1e}",
            f"other execution providers; {parity.slices} real images, CPU",
        ),
        ("seconds per image, one CPU thread", f"{parity.seconds_per_slice:.3f}", "the network only, on a busy machine"),
    ]
    table = "\n".join(f"| {name} | {value} | {limit} |" for name, value, limit in rows)
    return f"""## Figures
{figures.patients} patients, {figures.images} images, {figures.labelled_images} with a label, of which
{figures.positive_images} positive. Cross-validated by patient in {recipe.folds} folds, each patient scored by the one
network that did not see it. 95 % intervals from drawing patients with replacement.

| figure | value | what this does not show |
|---|---|---|
{table}
"""


def _subgroups(figures: LesionFigures) -> str:
    if not figures.subgroups:
        return ""
    rows = "\n".join(
        f"| {one.column} {one.value} | {one.images} | {one.positive_images} "
        f"| {shown(one.image_auc) if one.image_auc else 'too few to say'} |"
        for one in figures.subgroups
    )
    return f"""### Subgroups
| subgroup | images | positive | image AUC |
|---|---|---|---|
{rows}
"""


def _left_out(figures: tuple[LeftOutFigure, ...]) -> str:
    if not figures:
        return ""
    rows = "\n".join(
        f"| {one.column} {one.value} | {one.images} | {one.positive_images} | {shown(one.unseen.image_auc)} "
        f"| {shown(one.seen.image_auc)} | {_dice(one.unseen.dice_mean)} | {_dice(one.seen.dice_mean)} |"
        for one in figures
    )
    column, epochs = figures[0].column, figures[0].epochs
    return f"""### A {column} that was not seen
A network was fitted for {epochs} epochs without each {column} and answered about its images alone. Beside it the
networks of the folds, which saw other patients of it and were fitted for longer: part of a difference is that.

| left out | images | positive | image AUC, unseen | the same, seen | mean Dice, unseen | the same, seen |
|---|---|---|---|---|---|---|
{rows}
"""


def _dice(estimate: Estimate | None) -> str:
    return shown(estimate) if estimate else "no outlines"


def _operating_points(figures: LesionFigures, spec: TriageSpec) -> str:
    rows = "\n".join(
        f"| {one.point.name}{' (active)' if one.point.name == spec.active_operating_point else ''} "
        f"| {one.point.threshold:.3f} | {shown(one.sensitivity)} | {shown(one.specificity)} |"
        for one in figures.at_thresholds
    )
    return f"""### Operating points
Thresholds on the calibrated probability, counted per {figures.counted}, chosen on the very scores that they are judged
by here: on other patients expect less. Exact (Clopper-Pearson) 95 % intervals, entries taken as independent.

| operating point | threshold | sensitivity | specificity |
|---|---|---|---|
{rows}
"""


def _weaknesses(report: LesionReport, recipe: Recipe) -> str:
    found, shortcuts = report.figures.image_auc.value, report.shortcuts
    best = max(shortcuts.thumbnail_16, shortcuts.outer_frame, shortcuts.size_only)
    beaten = (
        f"**It does not beat its shortcut baselines** (image AUC {found:.3f}, best baseline {best:.3f}): what it ranks "
        "by may be patient and room rather than the finding. Use it to try the platform, and for nothing else."
    )
    lines = "\n".join(f"- {one}" for one in (*([beaten] if found <= best else []), *recipe.weaknesses))
    return f"""## Known weaknesses
{lines}
- The interpretation of a probability depends on how common lesions are; it was fitted where they are common.
"""


def _how_to_repeat(report: LesionReport) -> str:
    return f"""## How these figures came about
`{report.command}`

It wrote this card, `docs/figures.json` (all figures) and `docs/training-log.json` (plan, data digest, versions, losses,
folds, out-of-fold logits). On a CPU the same versions give the same weights; seconds per image differ.
"""
