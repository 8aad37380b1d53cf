"""The report of a suite: one HTML page without scripts or outside resources."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from validation.case_flow import case_flow
from validation.page import html_page, table
from validation.report import NOTICE

Document = Mapping[str, Any]
"""What `suite.json` says; read here and nowhere else, so that page and file cannot differ."""

CURVE_WIDTH, CURVE_HEIGHT = 130, 40
FIGURES = {
    "n_findings": "number of findings",
    "study_auc.ci95.0": "AUC per study, lower limit",
    "image_auc.ci95.0": "AUC per image, lower limit",
}
"""What the figures of most criteria are called; others keep their path in the document."""

OF_POINT = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "positive predictive value",
    "npv": "negative predictive value",
}
OF_MACHINE = {
    "images": "images",
    "largest_difference_again": "the same images asked again",
    "largest_difference_threads": "with another number of threads",
    "largest_difference_batches": "in other batches",
    "not_measured": "not measured",
}


def suite_html(document: Document, examples: str = "") -> str:
    """Return the page; `examples` is the section of `report_examples`, for a suite that measures the whole set."""
    title = f"{document['suite']}: {document['bundle']} {document['bundle_version']} on {document['dataset']}"
    parts = document["parts"]
    drawn = {"standalone": _standalone, "subgroups": _subgroups, "robustness": _robustness, "probes": _probes,
             "machine": _machine, "gate": _gate, "leakage": _leakage}  # fmt: skip
    flow = case_flow(parts["standalone"]) if "standalone" in parts else ""
    drawn_parts = (_part(name, parts[name], drawn[name]) for name in parts)
    sections = [_verdict(document), flow, *drawn_parts, examples, _environment(document)]
    notice = f'<p class="notice"><strong>{NOTICE}</strong></p>'
    return html_page(f"Suite {title}", f"Measured {document['measured_at']}.", [notice, *sections])


def _verdict(document: Document) -> str:
    rows = [
        [
            _text(one["part"]),
            _text(FIGURES.get(one["figure"], one["figure"])),
            _limit(one),
            _text(one["value"]),
            "met" if one["met"] else "NOT MET",
        ]
        for one in document["criteria"]
    ]
    findings = "".join(f"<li>{escape(one['said'])}</li>" for one in document["findings"])
    uses = document["test_set_uses"]
    not_met = sum(not one["met"] for one in document["criteria"])
    failed = f"Failed: {not_met} of {len(document['criteria'])} criteria not met"
    return (
        f"<h2>{'Passed' if document['passed'] else failed}</h2>"
        + table("Acceptance criteria", ("part", "figure", "limit", "found", ""), rows)
        + (f"<h2>Findings</h2><ul>{findings}</ul>" if findings else "<p>No findings.</p>")
        + f"<p>Decisions that this test set has taken part in here: {uses['decisions']} (bundle versions: "
        f"{uses['bundles']}, plans: {uses['plans']}), this one included. Each use makes the next figure less "
        "independent.</p>"
    )


def _part(name: str, part: Document, drawn: Any) -> str:
    reason = part.get("not_measured")
    body = f"<p>Not measured: {escape(reason)}.</p>" if isinstance(reason, str) else drawn(part)
    return f"<h2>{name.capitalize()}</h2>{body}"


def _standalone(part: Document) -> str:
    reasons = part["not_measured"]
    rows = [
        [f"AUC per {unit}", _figure(part[f"{unit}_auc"]) if part[f"{unit}_auc"] else escape(reasons[f"{unit}_auc"])]
        for unit in ("study", "image")
    ]
    for point in part["operating_points"]:
        name = f"{escape(point['name'])} ({'active, ' if point['active'] else ''}{point['threshold']:.3f})"
        rows += [[f"{name}: {said}", _figure(point[key])] for key, said in OF_POINT.items() if point[key] is not None]
    if part["dice"]:
        rows.append([f"Dice per {part['dice']['per']}, mean", f"{part['dice']['mean']:.3f}, n {part['dice']['n']}"])
    if part["froc"] and part["froc"]["cpm"] is not None:
        froc = part["froc"]
        rows.append(["mean sensitivity of FROC (CPM)", f"{froc['cpm']:.3f} ({_interval(froc['ci95_cpm'])})"])
    refused = f"{part['n_refused']} of {part['n_studies']} studies, {part['n_refused_positive']} of them positive"
    rows.append(["refused", refused])
    return table("With 95 % intervals, clustered by patient", ("figure", "value"), rows)


def _subgroups(part: Document) -> str:
    rows = [
        [f"{escape(one['column'])}: {escape(one['value'])}", one["figure"], *map(_text, (one["group"], one["rest"])),
         _text(one["p"]), _text(one["p_holm"])]
        for one in part["tests"]
    ]  # fmt: skip
    small = ", ".join(f"{one['column']} {one['value']}" for one in part["too_small"])
    return table(
        f"Each group against all others, one-sided; worse where the adjusted p is below {part['alpha']}",
        ("group", "figure", "group's", "all others'", "p", "p (Holm)"),
        rows,
    ) + (f"<p>Too few cases to test: {escape(small)}.</p>" if small else "")


def _robustness(part: Document) -> str:
    body = "".join(_curve_rows(kind, part["units_of_severity"][kind], one) for kind, one in part["curves"].items())
    return f"<p>Unaltered: AUC {_figure(part['unaltered_auc'])}, per {part['unit']}.</p>" + _framed(
        "The same cases with and without; differences with 95 % intervals, not adjusted",
        ("alteration", "severity", "AUC", "difference", "refused", "flags lost, new", "AUC, 0.5 to 1"),
        body,
        "long",
    )


def _curve_rows(kind: str, unit: str, points: Sequence[Document]) -> str:
    """Return the rows of one kind, whose name and curve stand beside all of them."""
    whole = f'rowspan="{len(points)}"'
    first = f'<th scope="rowgroup" {whole}>{escape(kind)}<br><small>{escape(unit)}</small></th>'
    last = f"<td {whole}>{_curve(points)}</td>"
    rows = []
    for number, point in enumerate(points):
        cells = (_text(point["severity"]), _text(point["auc"]), f'<span class="whole">{_difference(point)}</span>',
                 _text(point["n_refused"]), f"{point['flags_lost']}, {point['flags_new']}")  # fmt: skip
        middle = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f"<tr>{first}{middle}{last}</tr>\n" if number == 0 else f"<tr>{middle}</tr>\n")
    return "".join(rows)


def _curve(points: Sequence[Document]) -> str:
    """Return the AUCs as a line over the order of the severities; the numbers stand beside it. One is no line."""
    if len(points) < 2:
        return ""
    given = [(number, one["auc"]) for number, one in enumerate(points) if one["auc"] is not None]
    step = CURVE_WIDTH / (len(points) - 1)
    places = [(4 + number * step, 4 + CURVE_HEIGHT * (1 - max(0.0, (auc - 0.5) / 0.5))) for number, auc in given]
    line = " ".join(f"{x:.0f},{y:.0f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3"/>' for x, y in places)
    return (
        f'<svg width="{CURVE_WIDTH + 8}" height="{CURVE_HEIGHT + 8}" aria-hidden="true">'
        f'<rect x="4" y="4" width="{CURVE_WIDTH}" height="{CURVE_HEIGHT}" fill="none" stroke="#bbb"/>'
        f'<polyline points="{line}" fill="none" stroke="#1a1a1a" stroke-width="2"/>{dots}</svg>'
    )


def _probes(part: Document) -> str:
    names = {
        "baseline_thumbnail": "a regression on a thumbnail of 16 x 16",
        "baseline_frame": "a regression on the outer frame of it",
        "baseline_size": "a regression on the size of image and file",
        "model_frame_only": "the model, the middle of the image blanked",
    }
    rows = [[said, _figure(part[name])] for name, said in names.items()]
    caption = f"AUC of what sees no lesion; a shortcut where it is surely above {part['max_auc']}"
    lesion = part.get("lesion_taken_away")
    said = ""
    if lesion is not None:
        said = (
            f"<p>Change of the score of a positive when its lesion is taken away: {_text(lesion['score_change'])} "
            f"({_interval(lesion['ci95'])}, n {lesion['n']}); AUC then {_figure(lesion['auc'])}.</p>"
        )
    return table(caption, ("what answers", "AUC"), rows) + said


def _machine(part: Document) -> str:
    rows = [[said, _text(part["determinism"][key])] for key, said in OF_MACHINE.items() if key in part["determinism"]]
    providers = [
        [_text(one["provider"]), _figure(one["auc"]), _text(one["largest_difference"])]
        for one in part["parity"]["providers"]
    ]
    speed = part["throughput"]
    missing = "; ".join(part["parity"]["not_measured"])
    return (
        table("Determinism: largest difference of an output", ("", ""), rows)
        + table("Device parity", ("provider", "AUC", "largest difference of a probability"), providers)
        + f"<p>Not measured: {escape(missing)}.</p>"
        f"<p>Throughput: {_text(speed['images_per_s'])} images per second over {speed['images']} images.</p>"
    )


def _gate(part: Document) -> str:
    rows = [
        [escape(one["name"]), one["not_measured"], "", ""]
        if "not_measured" in one
        else [escape(one["name"]), f"{one['n_refused']} of {one['n']}", str(one["n_flagged"]),
              escape("; ".join(one["reasons"]))]
        for one in part["sets"]
    ]  # fmt: skip
    return table("Images out of scope", ("what", "refused", "flagged", "most frequent reasons"), rows)


def _leakage(part: Document) -> str:
    rows = [
        [escape(one["between"]), *(str(one[key]) for key in ("n_shared_patients", "n_identical", "n_near"))]
        for one in part["compared"]
    ]
    return (
        f"<p>Patients of this set that the bundle was trained on: {part['n_patients_in_training']}, of whom "
        f"{part['n_patients_out_of_fold']} were answered out of fold.</p>"
    ) + table(
        "What is on both sides", ("between", "patients", "pairs of identical files", "pairs of near-duplicates"), rows
    )


def _environment(document: Document) -> str:
    rows = [
        ["suite digest", f"<code>{document['suite_digest']}</code>"],
        ["bundle digest", f"<code>{document['bundle_digest']}</code>"],
        ["data set digest", f"<code>{document['dataset_digest']}</code>"],
        ["device", _text(document["device"])],
        [
            "environment",
            escape(", ".join(f"{name} {value}" for name, value in document["environment"].items() if value)),
        ],
    ]
    return "<h2>What was measured</h2>" + table("SHA-256 digests", ("", ""), rows)


def _limit(one: Document) -> str:
    limits = (("at least", one["at_least"]), ("at most", one["at_most"]))
    return ", ".join(f"{word} {value:g}" for word, value in limits if value is not None)


def _figure(figure: Document | None) -> str:
    return "–" if figure is None else f"{figure['value']:.3f} ({_interval(figure['ci95'])}), n {figure['n']}"


def _difference(point: Document) -> str:
    return "–" if point["difference"] is None else f"{point['difference']:+.3f} ({_interval(point['ci95'])})"


def _interval(ci95: Sequence[float] | None) -> str:
    return "no interval" if ci95 is None else f"{ci95[0]:.3f} to {ci95[1]:.3f}"


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))


def _framed(caption: str, columns: Sequence[str], body: str, kind: str = "") -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    return (
        f'<table class="{kind}"><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>\n"
    )
