"""The flow of cases as both pages show it: from the labelled studies to what was flagged."""

from collections.abc import Mapping
from typing import Any

from validation.report_drawings import flow_drawing


def case_flow(document: Mapping[str, Any]) -> str:
    """Return the section for what `acuity validate run` printed; source: STARD 2015 item 19, CLAIM 2020 item 33."""
    studies, positive = document["n_studies"], document["n_positive_studies"]
    refused, refused_positive = document["n_refused"], document["n_refused_positive"]
    active = next(one for one in document["operating_points"] if one["active"])
    tp, fp, tn, fn = (active[name] for name in ("tp", "fp", "tn", "fn"))
    boxes = (
        (f"{studies} labelled studies, {positive} positive", ""),
        (f"{studies - refused} answered by the model", f"{refused} refused, {refused_positive} positive"),
        (f"{tp + fp} flagged: {tp} positive, {fp} not", f"{fn + tn} not flagged: {fn} positive, {tn} not"),
    )
    return (
        "<h2>Flow of cases (STARD 2015 item 19, CLAIM 2020 item 33)</h2>"
        + flow_drawing(boxes)
        + f"<p>Before that, {document['n_unlabelled_rows']} rows without a label were left out. "
        f"{document['n_patients']} patients.</p>"
    )
