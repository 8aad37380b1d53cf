"""The surveillance report: one HTML page without scripts or outside resources, made to be read and printed.

Its order follows what a periodic safety update report asks for (EU MDR 2017/745, Article 86; Annex III, 1.1): sales
become volumes, complaints are what readers said against the model, and each alarm stands with what was done about it.
"""

from collections.abc import Iterable, Sequence
from html import escape

from triage.surveillance import KeptAlarm
from validation.drift.labelled import LabelledFigure
from validation.intervals import Estimate, Proportion
from validation.page import STYLE
from validation.report_drawings import interval_bar
from validation.surveillance.figures import FEWEST_IN_GROUP, Figures
from validation.surveillance.trend import trend_drawing

NOTICE = (
    "Research use only. Not a medical device. Labels are the answers of readers who saw the AI’s answer; which studies "
    "got an answer is not by chance. “No flag” does not mean “normal”."
)
PRINTED = """
@page { size: A4; margin: 16mm 14mm; }
@page { @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; } }
ul { font-size: .85em; }
ul.studies { columns: 2; }
svg { display: block; break-inside: avoid; margin-top: 1em; }
.whole { white-space: nowrap; }
table + table { margin-top: 1.2em; }
@media print { table { break-inside: auto; } tr { break-inside: avoid; } thead { display: table-header-group; } }
@media print { table { font-size: 8.5pt; } h2 { break-after: avoid; } caption { break-after: avoid; } }
"""
METHOD = (
    "Sensitivity counts flags among studies in which readers found something, specificity those without a flag among "
    "the others; neither moves with prevalence. Intervals are exact (Clopper and Pearson). A change is told where a "
    "step of the rate is more likely than 5 % of histories without one would show, with the days that are nearly as "
    "likely. The e-value against a claim may be looked at each day; 20 is reached by chance in at most 5 % of "
    "histories. Drift is watched by one two-sided CUSUM for each stream, with limits solved for all of a site together."
)
EVERY_SCANNER = "all scanners"
LISTED = 40
"""At most so many studies of complaints are named in the page; `report.json` has them all."""


def page_html(figures: Figures) -> str:
    """Return the page."""
    facts = figures.facts
    title = f"{facts.first} to {facts.last}"
    sections = (
        _summary,
        _volumes,
        _performance,
        _estimated,
        _drift,
        _alarms,
        _complaints,
        _subgroups,
        _changes,
        _waiting,
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Surveillance: {title}</title><style>{STYLE}{PRINTED}</style></head>\n"
        f"<body><h1>Surveillance report: {title}</h1><p>Made {facts.made_at:%Y-%m-%d %H:%M %Z}.</p>\n"
        f'<p class="notice"><strong>{NOTICE}</strong></p>\n'
        + "\n".join(make(figures) for make in sections)
        + f"\n<h2>How to read this</h2><p>{METHOD}</p></body></html>\n"
    )


def _summary(figures: Figures) -> str:
    facts, watched = figures.facts, [one for one in figures.facts.statuses if one.health != "learning"]
    learning = "; the others still learn what is usual" if len(watched) < len(facts.statuses) else ""
    open_ones = sum(one.closed_at is None for one in facts.alarms)
    rows = [
        ["studies", str(figures.studies)],
        ["models that answered", escape(", ".join(figures.performance) or "none")],
        ["streams watched", f"{len(watched)} of {len(facts.statuses)}" + learning],
        ["alarms opened in the period", f"{len(facts.alarms)}, {open_ones} of them not closed"],
        ["changes of models", str(len(facts.changes))],
    ]
    return "<h2>Summary</h2>" + _table("The period at a glance", ("", ""), rows)


def _volumes(figures: Figures) -> str:
    rows = [
        [escape(one.site or "–"), escape(one.scanner), escape(one.model or "no model"), str(one.studies),
         str(one.answered), _of(one.flagged, one.answered), str(one.out_of_scope)]
        for one in figures.volumes
    ]  # fmt: skip
    columns = ("site", "scanner", "model", "studies", "answered", "flagged", "out of scope")
    return "<h2>Volumes</h2>" + _table("Studies by scanner and model version", columns, rows)


def _performance(figures: Figures) -> str:
    parts = ["<h2>Performance, from readers’ answers</h2>"]
    for model, found in figures.performance.items():
        rows = [[escape(one.name), *_share(one.value), _change(one), _evidence(one)] for one in found.figures]
        caption = f"{model}: {_of(found.labelled, found.studies)} answered studies have a label; 95 % intervals"
        parts.append(_table(caption, ("", "value", "", "of", "change", "against the claim"), rows))
        parts.append(trend_drawing(found))
    return "\n".join(parts) if figures.performance else parts[0] + "<p>No model answered in the period.</p>"


def _estimated(figures: Figures) -> str:
    parts = ["<h2>Performance, estimated from scores alone</h2>"]
    for one in figures.facts.estimates:
        if one.figures is None:
            parts.append(f"<p>{escape(one.model)}: {one.labelled} answers of readers in the baseline, too few yet.</p>")
            continue
        rows = [
            [escape(name), _shown(Estimate(value, interval)), interval_bar(Estimate(value, interval))]
            for name, (value, interval) in one.figures.corrected.items()
        ]
        caption = f"{one.model}: {one.first} to {one.last}, {one.figures.n} scores, prevalence estimated by EM"
        parts.append(_table(caption, ("", "estimate and 95 % interval", ""), rows))
        doubts = "".join(f"<li>{escape(doubt)}</li>" for doubt in one.doubts)
        parts.append(f"<p><strong>The assumption</strong></p><ul>{doubts}</ul>" if doubts else "")
        parts.append(f"<p>{escape(one.assumptions)}</p>")
    return "\n".join(parts) if figures.facts.estimates else parts[0] + "<p>No model answered.</p>"


def _drift(figures: Figures) -> str:
    loud = [one for one in figures.facts.statuses if one.alarms or one.health == "silent"]
    rows = [
        [escape(one.key.scanner or EVERY_SCANNER), escape(one.key.stream), escape(one.key.model or "–"), one.health,
         f"{one.statistic or 0:.1f} of {one.limit or 0:.1f}", f"{one.usual_per_day:.1f}", _number(one.smallest_change)]
        for one in loud
    ]  # fmt: skip
    columns = ("scanner", "stream", "model", "health", "statistic", "a day", "smallest change")
    caption = "Streams that ever alarmed; the smallest change is found within 28 days on average at this volume"
    quiet = sum(one.health == "watching" for one in figures.facts.statuses if one not in loud)
    told = _table(caption, columns, rows) if rows else ""
    return f"<h2>Drift</h2><p>{quiet} streams are watched and never alarmed.</p>{told}"


def _alarms(figures: Figures) -> str:
    rows = [_alarm(one) for one in figures.facts.alarms]
    columns = ("no.", "noticed", "change dated", "scanner", "stream", "state", "owner", "cause and action")
    if not rows:
        return "<h2>Alarms and what was done</h2><p>No alarm was opened in the period.</p>"
    return "<h2>Alarms and what was done</h2>" + _table("Alarms opened in the period", columns, rows)


def _alarm(one: KeptAlarm) -> list[str]:
    done = "; ".join(filter(None, (one.cause and one.cause.value.replace("_", " "), one.explanation, one.action)))
    key = one.alarm.key
    cells = (str(one.number), str(one.alarm.noticed_on), str(one.alarm.changed_on), key.scanner or EVERY_SCANNER,
             key.stream, one.state.value, one.owner or "–", done or "–")  # fmt: skip
    return [escape(cell) for cell in cells]


def _complaints(figures: Figures) -> str:
    rows = [[escape(one.model), str(len(one.missed)), str(len(one.wrong_place)), str(len(one.false_flags))]
            for one in figures.complaints]  # fmt: skip
    named = [("missed", one.missed) for one in figures.complaints] + [
        ("wrong place", one.wrong_place) for one in figures.complaints
    ]
    items = [f"<li>{what}: <code>{escape(uid)}</code></li>" for what, uids in named for uid in uids]
    names = f'<p>Missed findings and wrong places by study:</p><ul class="studies">{"".join(items[:LISTED])}</ul>'
    listed = names if items else ""
    more = f"<p>{len(items) - LISTED} more are in report.json.</p>" if len(items) > LISTED else ""
    columns = ("model", "missed", "wrong place", "flagged, nothing found")
    caption = "Studies in which readers contradicted the model"
    return "<h2>Complaints</h2>" + _table(caption, columns, rows) + listed + more


def _subgroups(figures: Figures) -> str:
    rows = [
        [escape(f"{one.column}: {one.value}"), escape(one.model), str(one.studies), _shown(one.flag_rate.estimate),
         _short(one.sensitivity), _short(one.specificity)]
        for one in figures.groups
    ]  # fmt: skip
    caption = (
        f"95 % intervals, not adjusted for the number of groups; below {FEWEST_IN_GROUP} labels no figure is given"
    )
    columns = ("group", "model", "studies", "flag rate", "sensitivity", "specificity")
    return "<h2>Subgroups</h2>" + _table(caption, columns, rows)


def _changes(figures: Figures) -> str:
    rows = [
        [f"{one.at:%Y-%m-%d %H:%M}", *map(escape, (one.model, one.action, one.state, one.by, one.why))]
        for one in figures.facts.changes
    ]  # fmt: skip
    columns = ("when", "model", "action", "state", "by", "why")
    models = _table("From the registry’s history", columns, rows) if rows else _none("The registry has no change")
    return "<h2>Changes of versions and rules</h2>" + models + _rule_changes(figures)


def _rule_changes(figures: Figures) -> str:
    facts = figures.facts
    rows = [
        [f"{one.at.astimezone(facts.zone):%Y-%m-%d %H:%M}", one.sha256[:12] or "no file",
         *(escape(", ".join(names)) for names in (one.added, one.removed, one.changed))]
        for one in facts.rule_changes
    ]  # fmt: skip
    if not rows:
        return _none("The routing rules have no change")
    caption = "Routing rules, from the start that read them; a row without a name changed remarks or the order only"
    return _table(caption, ("when", "file (SHA-256)", "added", "removed", "changed"), rows)


def _none(what: str) -> str:
    return f"<p>{what} in the period.</p>"


def _waiting(figures: Figures) -> str:
    rows = [
        [escape(one.model), one.what, str(one.studies), _number(one.median), _number(one.p95)]
        for one in figures.waiting
    ]
    caption = "Minutes. Flagged studies differ from others in more than the flag, so their difference proves no effect"
    return "<h2>Turnaround</h2>" + _table(caption, ("model", "which", "studies", "median", "95th percentile"), rows)


def _change(one: LabelledFigure) -> str:
    if one.change is None:
        return "none found"
    found = one.change
    return (f"{1 - found.before:.3f} to {1 - found.after:.3f} on {found.first_day} "
            f"({found.earliest} to {found.latest})")  # fmt: skip


def _evidence(one: LabelledFigure) -> str:
    if one.claim is None or one.e_value is None:
        return "no claim given"
    verdict = "below it" if one.is_below_claim else "not refuted"
    return f"{one.claim:.3f}: {verdict} (e = {one.e_value:.3g})"


def _share(share: Proportion) -> list[str]:
    return [_shown(share.estimate), interval_bar(share.estimate), f"{share.successes} of {share.trials}"]


def _short(share: Proportion) -> str:
    return _shown(share.estimate) if share.estimate.value is not None else f"– ({share.trials} labels)"


def _shown(estimate: Estimate) -> str:
    if estimate.value is None or estimate.interval is None:
        return "–"
    low, high = estimate.interval
    return f'<span class="whole">{estimate.value:.3f} ({low:.3f} to {high:.3f})</span>'


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.1%})" if whole else "–"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the cells are HTML already, the caption is not."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns) if any(columns) else ""
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    header = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f"<table><caption>{escape(caption)}</caption>{header}<tbody>{body}</tbody></table>\n"
