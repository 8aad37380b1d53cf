"""The drawings of the report, as SVG inside the page."""

from collections.abc import Sequence

from validation.answers import StudyAnswer
from validation.discrimination import roc_points
from validation.intervals import Estimate

BAR_PIXELS = 160
ROC_PIXELS = 240


def interval_bar(estimate: Estimate) -> str:
    """Return a figure and its interval on a line from 0 to 1; the numbers stand beside it in words."""
    if estimate.value is None or estimate.interval is None:
        return ""
    low, high = (_place(end) for end in estimate.interval)
    return (
        f'<svg width="{BAR_PIXELS + 8}" height="14" aria-hidden="true">'
        f'<line x1="4" y1="7" x2="{BAR_PIXELS + 4}" y2="7" stroke="#bbb"/>'
        f'<line x1="{low:.1f}" y1="7" x2="{high:.1f}" y2="7" stroke="#1a1a1a" stroke-width="3"/>'
        f'<circle cx="{_place(estimate.value):.1f}" cy="7" r="4" fill="#1a1a1a"/></svg>'
    )


def roc_drawing(answers: Sequence[StudyAnswer]) -> str:
    """Return the ROC curves of studies (solid) and of images (dashed); empty where neither has both kinds."""
    studies = [(bool(one.study.label), one.probability) for one in answers if one.probability is not None]
    images = [
        (image.image.label, image.probability)
        for one in answers
        for image in one.images
        if image.image.label is not None
    ]
    lines = [_curve(studies, "none"), _curve(images, "5 4")]
    if not any(lines):
        return ""
    side = ROC_PIXELS
    return (
        f'<svg width="{side + 60}" height="{side + 40}" role="img" aria-label="ROC curves">'
        f'<rect x="40" y="5" width="{side}" height="{side}" fill="none" stroke="#888"/>'
        f'<line x1="40" y1="{side + 5}" x2="{side + 40}" y2="5" stroke="#ccc"/>{"".join(lines)}'
        f'<text x="40" y="{side + 25}" font-size="12">1 − specificity, 0 to 1</text>'
        f'<text x="14" y="{side // 2 + 5}" font-size="12" transform="rotate(-90 14 {side // 2 + 5})" '
        'text-anchor="middle">sensitivity</text></svg><p>Solid: studies. Dashed: images.</p>'
    )


def _curve(cases: Sequence[tuple[bool, float]], dashes: str) -> str:
    truth, scores = [case[0] for case in cases], [case[1] for case in cases]
    if all(truth) or not any(truth):
        return ""
    points = " ".join(
        f"{40 + across * ROC_PIXELS:.1f},{5 + (1 - up) * ROC_PIXELS:.1f}" for across, up in roc_points(truth, scores)
    )
    return f'<polyline points="{points}" fill="none" stroke="#1a1a1a" stroke-width="2" stroke-dasharray="{dashes}"/>'


def _place(share: float) -> float:
    return 4 + share * BAR_PIXELS
