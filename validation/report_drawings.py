"""The drawings of the report, as SVG inside the page; what they show stands beside them in words or in a table."""

from collections.abc import Sequence
from html import escape

from validation.discrimination import roc_points
from validation.intervals import Estimate
from validation.statistics.calibration import Bin
from validation.statistics.roc_band import roc_band
from validation.statistics.scored_cases import ScoredCases

BAR_PIXELS = 160
SIDE = 260
LEFT, TOP = 46, 8
INK, FAINT, BAND = "#1a1a1a", "#888", "#d5dde8"
FONT = 'font-family="sans-serif" font-size="12"'
SEED = 1


def interval_bar(estimate: Estimate) -> str:
    """Return a figure and its interval on a line from 0 to 1; the numbers stand beside it in words."""
    if estimate.value is None or estimate.interval is None:
        return ""
    low, high = (_place(end) for end in estimate.interval)
    return (
        f'<svg width="{BAR_PIXELS + 8}" height="14" viewBox="0 0 {BAR_PIXELS + 8} 14" aria-hidden="true">'
        f'<line x1="4" y1="7" x2="{BAR_PIXELS + 4}" y2="7" stroke="#bbb"/>'
        f'<line x1="{low:.1f}" y1="7" x2="{high:.1f}" y2="7" stroke="{INK}" stroke-width="3"/>'
        f'<circle cx="{_place(estimate.value):.1f}" cy="7" r="4" fill="{INK}"/></svg>'
    )


def roc_drawing(studies: ScoredCases | None, images: ScoredCases | None) -> str:
    """Return the ROC curves of studies (solid, with their band) and of images (dashed); None has no curve."""
    shapes, said = [], []
    if studies is not None:
        band = roc_band(studies, SEED)
        if band is not None:
            there = zip(band.across.tolist(), band.high.tolist(), strict=True)
            back = zip(band.across[::-1].tolist(), band.low[::-1].tolist(), strict=True)
            shapes.append(f'<polygon points="{_points([*there, *back])}" fill="{BAND}"/>')
            said.append("Band: 95 % of the sensitivity at each specificity, 500 samples of patients.")
        shapes.append(_curve(studies, "none"))
        said.insert(0, "Solid: studies.")
    if images is not None:
        shapes.append(_curve(images, "5 4"))
        said.append("Dashed: images.")
    if not shapes:
        return ""
    diagonal = _line((0.0, 0.0), (1.0, 1.0))
    return _figure("ROC curves", f"{diagonal}{''.join(shapes)}", ("1 − specificity", "sensitivity"), " ".join(said))


def calibration_drawing(bins: Sequence[Bin]) -> str:
    """Return the share of positives against the mean probability of each tenth, with Wilson intervals."""
    marks = [_line((0.0, 0.0), (1.0, 1.0))]
    for one in bins:
        x = one.mean_probability
        marks.append(_line((x, one.interval[0]), (x, one.interval[1]), INK, 2))
        across, up = _at(x, one.share_positive)
        marks.append(f'<circle cx="{across:.1f}" cy="{up:.1f}" r="4" fill="{INK}"/>')
    said = (
        "Studies in tenths of the probability; lines: 95 % Wilson intervals. On the diagonal the probability is right."
    )
    return _figure("Calibration", "".join(marks), ("mean probability", "share of positives"), said)


def froc_drawing(sensitivities: Sequence[float]) -> str:
    """Return the sensitivity at 1/8, 1/4 … 8 false positives per image, in equal steps."""
    places = [(number / (len(sensitivities) - 1), value) for number, value in enumerate(sensitivities)]
    line = f'<polyline points="{_points(places)}" fill="none" stroke="{INK}" stroke-width="2"/>'
    axes, ticks = ("false positives per image", "sensitivity"), ("1/8", "1", "8")
    return _figure("FROC curve", line, axes, "Each step to the right doubles the false positives.", ticks)


def forest_drawing(title: str, rows: Sequence[tuple[str, Estimate]], overall: Estimate) -> str:
    """Return one line for each group with its interval, and the figure of all cases as a vertical line."""
    shown = [(name, one) for name, one in rows if one.value is not None]
    if not shown or overall.value is None:
        return ""
    height, names = 22 * len(shown), 230
    marks = [f'<line x1="{names + SIDE * overall.value:.1f}" y1="0" x2="{names + SIDE * overall.value:.1f}" '
             f'y2="{height}" stroke="{FAINT}" stroke-dasharray="3 3"/>']  # fmt: skip
    for number, (name, one) in enumerate(shown):
        y = 22 * number + 13
        value = one.value or 0.0
        marks.append(f'<text x="0" y="{y + 4}" {FONT}>{escape(name[:36])}</text>')
        if one.interval is not None:
            ends = [names + SIDE * end for end in one.interval]
            marks.append(
                f'<line x1="{ends[0]:.1f}" y1="{y}" x2="{ends[1]:.1f}" y2="{y}" stroke="{INK}" stroke-width="2"/>'
            )
        marks.append(f'<rect x="{names + SIDE * value - 4:.1f}" y="{y - 4}" width="8" height="8" fill="{INK}"/>')
    scale = "".join(
        f'<text x="{names + SIDE * tick:.0f}" y="{height + 18}" {FONT} text-anchor="middle">{tick:g}</text>'
        for tick in (0, 0.5, 1)
    )
    axis = f'<line x1="{names}" y1="{height}" x2="{names + SIDE}" y2="{height}" stroke="{FAINT}"/>'
    width = names + SIDE + 20
    return (
        f'<figure><svg width="{width}" height="{height + 24}" viewBox="0 0 {width} {height + 24}" role="img" '
        f'aria-label="{escape(title)} by group">{"".join(marks)}{axis}{scale}</svg>'
        f"<figcaption>{escape(title)} by group; dashed: all cases, {overall.value:.3f}.</figcaption></figure>"
    )


def flow_drawing(boxes: Sequence[tuple[str, str]]) -> str:
    """Return boxes one below the other, each with what left the flow before it (empty: nothing did)."""
    rows, step, width = [], 62, 560
    for number, (kept, left) in enumerate(boxes):
        y = number * step
        rows.append(_box(0, y, 270, kept))
        if number + 1 < len(boxes):
            rows.append(f'<path d="M135 {y + 40} V{y + step}" stroke="{INK}" fill="none"/>')
        if left:
            rows.append(f'<path d="M135 {y - 11} H290" stroke="{INK}" fill="none"/>{_box(290, y - 31, 270, left)}')
    height = len(boxes) * step - 20
    return (
        f'<figure><svg width="{width}" height="{height}" viewBox="-1 -1 {width + 2} {height + 2}" role="img" '
        f'aria-label="Flow of cases">{"".join(rows)}</svg></figure>'
    )


def _box(x: int, y: int, width: int, text: str) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="40" fill="#fff" stroke="{INK}"/>'
        f'<text x="{x + 8}" y="{y + 25}" {FONT}>{escape(text)}</text>'
    )


def _figure(
    title: str, shapes: str, axes: tuple[str, str], said: str, across: tuple[str, str, str] = ("0", "0.5", "1")
) -> str:
    width, height = LEFT + SIDE + 14, TOP + SIDE + 40
    ticks = "".join(
        f'<text x="{LEFT + SIDE * tick:.0f}" y="{TOP + SIDE + 15}" {FONT} text-anchor="middle">{name}</text>'
        f'<text x="{LEFT - 5}" y="{TOP + SIDE * (1 - tick) + 4:.0f}" {FONT} text-anchor="end">{tick:g}</text>'
        for tick, name in zip((0, 0.5, 1), across, strict=True)
    )
    middle, below = TOP + SIDE // 2, TOP + SIDE + 32
    return (
        f'<figure><svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}"><rect x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="none" '
        f'stroke="{FAINT}"/>{shapes}{ticks}'
        f'<text x="{LEFT + SIDE // 2}" y="{below}" {FONT} text-anchor="middle">{escape(axes[0])}</text>'
        f'<text x="12" y="{middle}" {FONT} transform="rotate(-90 12 {middle})" text-anchor="middle">'
        f"{escape(axes[1])}</text>"
        f"</svg><figcaption>{escape(said)}</figcaption></figure>"
    )


def _curve(cases: ScoredCases, dashes: str) -> str:
    points = _points(roc_points(cases.truth.tolist(), cases.scores.tolist()))
    dashed = "" if dashes == "none" else f' stroke-dasharray="{dashes}"'
    return f'<polyline points="{points}" fill="none" stroke="{INK}" stroke-width="2"{dashed}/>'


def _line(start: tuple[float, float], end: tuple[float, float], colour: str = "#bbb", width: int = 1) -> str:
    (x1, y1), (x2, y2) = _at(*start), _at(*end)
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in (_at(*one) for one in points))


def _at(across: float, up: float) -> tuple[float, float]:
    return LEFT + across * SIDE, TOP + (1 - up) * SIDE


def _place(share: float) -> float:
    return 4 + share * BAR_PIXELS
