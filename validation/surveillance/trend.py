"""Performance week by week as a drawing: points with their intervals, and the share of studies with a label."""

from validation.drift.labelled import LabelledPerformance
from validation.intervals import Proportion

WIDTH, HEIGHT, LEFT, TOP = 640, 110, 60, 14
FEWEST_WEEKS = 3


def trend_drawing(found: LabelledPerformance) -> str:
    """Return one line of weeks for each figure, as SVG; empty below three weeks, which the table says as well."""
    if len(found.periods) < FEWEST_WEEKS:
        return ""
    return "".join(
        _line(
            name,
            [getattr(one, name) for one in found.periods],
            str(found.periods[0].begins),
            str(found.periods[-1].begins),
        )
        for name in ("sensitivity", "specificity")
    ) + _labels(found)


def _line(name: str, shares: list[Proportion], first: str, last: str) -> str:
    step = WIDTH / len(shares)
    marks = []
    for place, share in enumerate(shares):
        across = LEFT + (place + 0.5) * step
        if share.estimate.value is None or share.estimate.interval is None:
            continue
        low, high = (_height(end) for end in share.estimate.interval)
        marks.append(
            f'<line x1="{across:.1f}" y1="{low:.1f}" x2="{across:.1f}" y2="{high:.1f}" stroke="#888"/>'
            f'<circle cx="{across:.1f}" cy="{_height(share.estimate.value):.1f}" r="2.5" fill="#1a1a1a"/>'
        )
    size = f"0 0 {LEFT + WIDTH + 10} {HEIGHT + TOP + 24}"
    return (
        f'<svg viewBox="{size}" width="100%" role="img" aria-label="{name} by week">'
        f'<text x="{LEFT}" y="10" font-size="11">{name} by week of the study, with 95 % interval</text>'
        f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#bbb"/>'
        f'<text x="{LEFT - 6}" y="{TOP + 8}" font-size="11" text-anchor="end">1</text>'
        f'<text x="{LEFT - 6}" y="{TOP + HEIGHT}" font-size="11" text-anchor="end">0</text>{"".join(marks)}'
        f'<text x="{LEFT}" y="{TOP + HEIGHT + 15}" font-size="11">{first}</text>'
        f'<text x="{LEFT + WIDTH}" y="{TOP + HEIGHT + 15}" font-size="11" text-anchor="end">{last}</text></svg>'
    )


def _labels(found: LabelledPerformance) -> str:
    shares = [one.labelled / one.studies for one in found.periods]
    told = f"{min(shares):.0%} to {max(shares):.0%}, last {shares[-1]:.0%}"
    return f"<p>Share of a week’s answered studies with a label: {told}.</p>"


def _height(share: float) -> float:
    return TOP + (1 - share) * HEIGHT
