"""The model card: words around figures that the recipe computed, so that no figure is typed by hand."""

from dataclasses import dataclass

from models.training.export import Parity
from models.training.figures import Estimate, Figures
from models.training.gate import GateFigures
from models.training.shortcuts import Shortcuts
from models.triage_spec import Aggregation, TriageSpec


@dataclass(frozen=True, slots=True)
class PhantomFigures:
    """What the shipped model says at the active operating point about simulated heads that took no part in anything."""

    studies: int
    out_of_scope: Estimate
    study_auc: float
    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """All that the recipe measured; `docs/figures.json` is exactly this."""

    figures: Figures
    gate: GateFigures
    shortcuts: Shortcuts
    parity: Parity
    aggregation: Aggregation
    members: int
    phantoms: PhantomFigures | None
    command: str


def card_text(report: TrainingReport, spec: TriageSpec, weights_sha256: str) -> str:
    """Return `docs/README.md` of the bundle as Markdown."""
    sections = (
        _what_it_is(report, spec, weights_sha256),
        _intended_use(),
        _data(spec),
        _figures(report),
        _subtypes(report.figures),
        _operating_points(report.figures, spec),
        gate_text(report.gate),
        _phantoms(report.phantoms),
        _weaknesses(report.figures),
        _how_to_repeat(report),
    )
    return "\n".join(section for section in sections if section)


def shown(estimate: Estimate) -> str:
    """Return "0.912 (0.850 to 0.960)"."""
    low, high = estimate.ci95
    return f"{estimate.value:.3f} ({low:.3f} to {high:.3f})"


def gate_text(gate: GateFigures) -> str:
    """Return the section on what the gate lets through."""
    rows = "\n".join(f"| {one.kind} | {one.studies} | {shown(one.share)} |" for one in (gate.in_scope, *gate.others))
    return f"""### The gate
Studies further than {gate.limit:.2f} from the training set (1 is usual; the median over the images of a series; a still
is judged for itself) are out of scope. The limit was chosen on the unseen in-scope studies of the first line. Headers
(modality, body part, description) and colour are judged before.

| kind of study | studies | share refused |
|---|---|---|
{rows}
"""


def _what_it_is(report: TrainingReport, spec: TriageSpec, weights_sha256: str) -> str:
    preparation, aggregation = spec.preparation, report.aggregation
    smoothing = (
        f"averaged over {aggregation.smooth_slices} neighbouring slices, then " if aggregation.smooth_slices > 1 else ""
    )
    low, high = preparation.window
    return f"""# {spec.name} {spec.version}

Looks for intracranial haemorrhage (SNOMED CT {spec.code.value}) on non-contrast axial head CT, slice by slice.

**AI result, not a diagnosis. Research use only. Not a medical device.** "No flag" does not mean "normal".

## What it is
- {report.members} small residual networks with a top-down path; each answers a map of logits per slice, and its logit
  of the slice is the mean of the highest cells of its map. Logits and maps are averaged over the networks, so the
  map shows what the answer rests on.
- Input: {preparation.rows}x{preparation.columns} cells around the skull, found from the bone, upright;
  {low:g} to {high:g} HU; channels: {", ".join(preparation.channels)}.
- Score of a study: slice logits, {smoothing}the mean of the {aggregation.top_slices} highest; then Platt scaling.
- Boxes are drawn where the map is high. They point; they do not measure.
- Weights: `models/model.onnx`, SHA-256 `{weights_sha256}`.
"""


def _intended_use() -> str:
    return """## Intended use
To order a reading list in research and demonstration: a flag raises a study, nothing ever lowers one.
Not for diagnosis, not for ruling out, not for children, not after contrast, not after surgery, not for follow-up.
"""


def _data(spec: TriageSpec) -> str:
    return f"""## Data and licence
{spec.citation}. Licence CC BY 4.0; the weights are under {spec.licence} as well.
Head CT of trauma patients of one centre, 5 mm slices, labelled per slice by two radiologists. Used as 8-bit JPEG
windowed to -20..100 HU. While training, bleeds were also painted into studies without one; painted slices count
in no figure.
"""


def _figures(report: TrainingReport) -> str:
    figures, shortcuts, parity = report.figures, report.shortcuts, report.parity
    bleeding = f"{figures.positive_patients} of {figures.patients} studies bleed here"
    forest = "a random forest in the same folds; what remains without seeing a lesion"
    rows = (
        ("slice AUC", shown(figures.slice_auc), "other centres, scanners, slice thicknesses"),
        ("study AUC", shown(figures.study_auc), "a real list; how slices are pooled was chosen on these patients"),
        ("Brier score, slices", f"{figures.slice_brier:.3f}", "calibration elsewhere: fitted on these very scores"),
        ("Brier score, studies", f"{figures.study_brier:.3f}", f"the same; {bleeding}, far more than in practice"),
        ("shortcut: 16x16 thumbnail, slice AUC", f"{shortcuts.thumbnail_16:.3f}", forest),
        ("shortcut: outer frame only, slice AUC", f"{shortcuts.outer_frame:.3f}", "the same"),
        ("shortcut: width, height, file size, slice AUC", f"{shortcuts.size_only:.3f}", "the same"),
        (
            "largest difference torch to ONNX Runtime",
            f"{parity.max_abs_difference:.1e}",
            f"other execution providers; {parity.slices} real slices, CPU",
        ),
        ("seconds per slice, one CPU thread", f"{parity.seconds_per_slice:.3f}", "the network only, on one machine"),
    )
    table = "\n".join(f"| {name} | {value} | {limit} |" for name, value, limit in rows)
    return f"""## Figures
{figures.patients} patients, {figures.positive_patients} with a bleed; {figures.slices} slices,
{figures.positive_slices} with a bleed. Cross-validated by patient, each patient scored by the one network that did not
see it. 95 % intervals from drawing patients with replacement.

| figure | value | what this does not show |
|---|---|---|
{table}
"""


def _subtypes(figures: Figures) -> str:
    rows = "\n".join(
        f"| {one.subtype} | {one.slices} | {one.patients} | {shown(one.slice_auc)} |" for one in figures.subtypes
    )
    return f"""### By subtype
Slices with the subtype against slices without any bleed, by the haemorrhage score. With so few patients the intervals
understate what is unknown.

| subtype | slices | patients | slice AUC |
|---|---|---|---|
{rows}
"""


def _operating_points(figures: Figures, spec: TriageSpec) -> str:
    rows = "\n".join(
        f"| {one.point.name}{' (active)' if one.point.name == spec.active_operating_point else ''} "
        f"| {one.point.threshold:.3f} | {shown(one.sensitivity)} | {shown(one.specificity)} |"
        for one in figures.at_thresholds
    )
    return f"""### Operating points
Thresholds on the calibrated probability of the study, chosen on the very scores that they are judged by here: on other
patients expect less. Exact (Clopper-Pearson) 95 % intervals, one study per patient.

| operating point | threshold | sensitivity | specificity |
|---|---|---|---|
{rows}
"""


def _phantoms(phantoms: PhantomFigures | None) -> str:
    if phantoms is None:
        return ""
    return f"""### Simulated phantoms
{phantoms.studies} simulated heads. No network was fitted to phantoms; the gate was shown others of their kind.
Share of these that it refuses: {shown(phantoms.out_of_scope)}.
At the active point: sensitivity {shown(phantoms.sensitivity)},
specificity {shown(phantoms.specificity)}; study AUC {phantoms.study_auc:.3f}.
This shows that the simulator and the model fit together, and nothing about patients.
"""


def _weaknesses(figures: Figures) -> str:
    rarest = min(figures.subtypes, key=lambda one: one.patients)
    return f"""## Known weaknesses
- {figures.positive_patients} bleeding patients are few: {rarest.subtype} comes from {rarest.patients} of them.
- Trauma of one centre, mostly epidural bleeding. Bleeds under a few millimetres, old (dark) blood, and blood along the
  skull base are likely to be missed; calcium, tumours, contrast and streaks are likely to be flagged.
- Where the skull cannot be found (a large part missing, a head cut by the field of view) the crop and so the answer
  are worse.
- The interpretation of a probability depends on how common bleeds are; it was fitted where they are common.
"""


def _how_to_repeat(report: TrainingReport) -> str:
    return f"""## How these figures came about
`{report.command}`

It wrote this card, `docs/figures.json` (all figures) and `docs/training-log.json` (seed, plan, data digest, versions,
losses, folds, out-of-fold logits). On a CPU the same versions give the same weights; seconds per slice differ.
"""
