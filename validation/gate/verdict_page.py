"""The page of a verdict: one HTML file without scripts or outside resources."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from validation.page import html_page, table

NOTICE = "Research use only. Not a medical device. The verdict holds for this plan, these files and this data set."

FLOW = {
    "n": "labelled studies",
    "n_positive": "of them positive",
    "n_patients": "patients",
    "both_answered": "answered by both",
    "only_a_answered": "answered by A alone",
    "only_b_answered": "answered by B alone",
    "neither_answered": "answered by neither",
    "missing_counts_as": "a missing answer counts as",
}


def verdict_html(document: Mapping[str, Any]) -> str:
    """Return the page that says what `verdict_document` says."""
    plan, cases = document["plan"], document["cases"]
    sign = "✓" if document["accepted"] else "✗"
    body = [
        f'<p class="notice"><strong>{sign} {escape(document["verdict"])}</strong>: '
        f"{escape(_name(document['b']))} {'may' if document['accepted'] else 'may not'} take the place of "
        f"{escape(_name(document['a']))} by the plan “{escape(plan['name'])}”.</p>",
        f"<p>{NOTICE}</p>",
        "<h2>Plan, locked before the candidate was measured</h2>",
        table(
            "",
            ("", ""),
            [
                ["modification", escape(plan["modification"])],
                ["acceptance", escape(plan["acceptance"])],
                ["locked", escape(f"{plan['locked_at']} by {plan['locked_by']}")],
                ["SHA-256", f"<code>{escape(plan['sha256'])}</code>"],
            ],
        ),
        "<h2>Criteria</h2>",
        _criteria("Every one must be met; A is the reference, B the candidate", document["criteria"]),
    ]
    if document["too_small_to_judge"]:
        body.append(_criteria("Subgroups too small to judge", document["too_small_to_judge"]))
    body += [
        "<h2>Flow of cases (STARD 2015 item 19, CLAIM 2020 item 33)</h2>",
        table("", ("", ""), [[name, escape(str(cases[key]).replace("_", " "))] for key, name in FLOW.items()]),
        "<h2>Limits</h2><ul>" + "".join(f"<li>{escape(one)}</li>" for one in document["caveats"]) + "</ul>"
        if document["caveats"]
        else "",
        f"<p>{escape(document['method'])}</p>",
        "<h2>What was compared</h2>",
        *(_run(name, document[name]) for name in ("a", "b")),
        table("Data set", ("", ""), [[escape(document["dataset"]), f"<code>{document['dataset_digest']}</code>"]]),
    ]
    return html_page(f"Verdict: {plan['name']}", f"Decided {document['decided_at']}.", body)


def _criteria(caption: str, criteria: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            escape(one["name"]) + (f"<br>{escape(one['subgroup'])}" if one["subgroup"] else ""),
            escape(one["measure"]),
            f"{one['n']} ({one['n_patients']} patients)",
            _number(one["a"]),
            _number(one["b"]),
            f"{'B' if one['of'] == 'candidate' else 'B − A'}: {_number(one['value'])}<br>{_interval(one['ci95'])}",
            f"{one['judged_by'].replace('_', ' ')} at least {one['needed']:g}",
            {True: "✓ met", False: "✗ not met", None: "not judged"}[one["met"]],
        ]
        for one in criteria
    ]
    columns = ("criterion", "measure", "cases", "A", "B", "judged (95 % interval)", "needed", "")
    return table(caption, columns, rows)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}".replace("-", "−")


def _interval(ends: Sequence[float] | None) -> str:
    if ends is None:
        return ""
    return f'<span class="whole">({_number(ends[0])} to {_number(ends[1])})</span>'


def _run(name: str, run: Mapping[str, Any]) -> str:
    rows = [[escape(key.replace("_", " ")), f"<code>{escape(_text(value))}</code>"] for key, value in run.items()]
    return table("A, the reference" if name == "a" else "B, the candidate", ("", ""), rows)


def _text(value: object) -> str:
    return ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, Mapping) else str(value)


def _name(run: Mapping[str, Any]) -> str:
    return f"{run['bundle']} {run['bundle_version']}"
