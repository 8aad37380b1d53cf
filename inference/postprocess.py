"""From what a network says about slices to one coded finding about the study."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.masks import masks_on_images, measurements_of, packed_masks
from inference.preprocess import Prepared
from inference.volume import Volume
from models.triage_spec import Aggregation, LogisticCurve, TriageSpec
from triage.findings import Finding, ImageScore, Mask, Measurement, ModelIdentity, Region

MAX_REGIONS = 5
MIN_REGION_CELLS = 2


def findings_from(
    outputs: Mapping[str, NDArray[np.float32]],
    prepared: Prepared,
    volume: Volume,
    spec: TriageSpec,
    model: ModelIdentity,
) -> tuple[Finding, ...]:
    """Return the one finding of `spec`, with a probability for every image and, when flagged, boxes.

    A model that segments gives masks of every image, flagged or not, and what they measure.

    Args:
        outputs: of the network, "logits" (slices, 1) and "map" (slices, rows, columns), the map's logits on a grid
            that covers the same square as the tensor.
        prepared: what the network saw.
        volume: where it came from.
        spec: of the bundle.
        model: the bundle's identity.
    """
    logits = outputs["logits"][:, 0].astype(np.float64)
    image_probabilities = calibrated(logits, spec.calibration.image)
    probability = float(calibrated(np.array([study_logit(logits, spec.aggregation)]), spec.calibration.study)[0])
    point = spec.active
    show = probability >= point.threshold and spec.display_policy == "localising"
    masks, measurements = _outlined(outputs["map"], prepared, volume, spec)
    return (
        Finding(
            code=spec.code,
            probability=probability,
            threshold=point.threshold,
            operating_point=point.name,
            raises_to=spec.raises_to,
            model=model,
            regions=_regions(outputs["map"], image_probabilities, prepared, volume) if show else (),
            image_scores=tuple(
                ImageScore(uid, float(score), frame)
                for uid, score, frame in zip(
                    volume.sop_instance_uids, image_probabilities, volume.frame_numbers, strict=True
                )
            ),
            measurements=measurements,
            masks=masks,
            segmented=spec.segmentation.code if spec.segmentation else None,
        ),
    )


def joined(findings: Sequence[Finding]) -> Finding:
    """Return one finding for images that were analysed each for itself: the most suspicious one speaks for the study.

    Scores and masks of all images are kept in their order, boxes where they are strongest.
    """
    highest = max(findings, key=lambda finding: finding.probability)
    regions = sorted((region for one in findings for region in one.regions), key=lambda region: -region.probability)
    return replace(
        highest,
        regions=tuple(regions[:MAX_REGIONS]),
        image_scores=tuple(score for one in findings for score in one.image_scores),
        masks=tuple(mask for one in findings for mask in one.masks),
    )


def _outlined(
    maps: NDArray[np.float32], prepared: Prepared, volume: Volume, spec: TriageSpec
) -> tuple[tuple[Mask, ...], tuple[Measurement, ...]]:
    if spec.segmentation is None:
        return (), ()
    rows, columns = volume.values.shape[1:]
    masks = masks_on_images(maps, prepared.placement, (rows, columns), spec.segmentation)
    measured = measurements_of(masks, volume.spacing_mm, even=volume.slice_step_mm is not None)
    return packed_masks(masks, volume), measured


def study_logit(slice_logits: NDArray[np.float64], aggregation: Aggregation) -> float:
    """Return the study's logit from its slices' in anatomical order: smoothed along them, mean of the highest."""
    width = min(aggregation.smooth_slices, len(slice_logits) - 1 + len(slice_logits) % 2)
    ones = np.ones(width)
    smoothed = np.convolve(slice_logits, ones, "same") / np.convolve(np.ones(len(slice_logits)), ones, "same")
    return float(np.sort(smoothed)[-aggregation.top_slices :].mean())


def calibrated(logits: NDArray[np.float64], curve: LogisticCurve) -> NDArray[np.float64]:
    """Return probabilities; the exponent is held within ±60, where a probability is 0 or 1 to 26 places."""
    return np.asarray(1 / (1 + np.exp(-np.clip(curve.slope * logits + curve.intercept, -60, 60))))


def _regions(
    maps: NDArray[np.float32],
    image_probabilities: NDArray[np.float64],
    prepared: Prepared,
    volume: Volume,
) -> tuple[Region, ...]:
    """Return the strongest box of each of the slices with the highest scores, strongest first, at most five."""
    highest = np.argsort(-image_probabilities, kind="stable")[:MAX_REGIONS]
    found: list[Region] = []
    for index in (int(one) for one in highest):
        if image_probabilities[index] < 0.5 and found:
            continue
        box = strongest_box(maps[index])
        corners = _image_corners(box, maps[index].shape, prepared)
        found.append(
            Region(
                sop_instance_uid=volume.sop_instance_uids[index],
                box=_within(corners, volume.values.shape[1:]),
                probability=float(image_probabilities[index]),
                frame_number=volume.frame_numbers[index],
            )
        )
    return tuple(found)


def strongest_box(map_logits: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Return (top, left, bottom, right) in cells around the peak of a map: cells connected to it and within half.

    "Within half" means at least half the peak's probability. A box has at least `MIN_REGION_CELLS` cells each way.
    """
    probabilities = 1 / (1 + np.exp(-np.clip(map_logits.astype(np.float64), -60, 60)))
    peak = np.unravel_index(int(np.argmax(probabilities)), probabilities.shape)
    labels, _ = ndimage.label(probabilities >= probabilities[peak] / 2, structure=np.ones((3, 3)))
    rows, columns = np.nonzero(labels == labels[peak])
    top, bottom = _widened(int(rows.min()), int(rows.max()) + 1, map_logits.shape[0])
    left, right = _widened(int(columns.min()), int(columns.max()) + 1, map_logits.shape[1])
    return top, left, bottom, right


def _widened(low: int, high: int, size: int) -> tuple[int, int]:
    if high - low >= MIN_REGION_CELLS:
        return low, high
    return (low, low + MIN_REGION_CELLS) if low + MIN_REGION_CELLS <= size else (size - MIN_REGION_CELLS, size)


def _image_corners(
    box: tuple[int, int, int, int], map_shape: tuple[int, ...], prepared: Prepared
) -> NDArray[np.float64]:
    placement = prepared.placement
    top, left, bottom, right = box
    corners = np.array([[top, left], [top, right], [bottom, left], [bottom, right]], dtype=np.float64)
    cells = corners * np.array([placement.rows / map_shape[0], placement.columns / map_shape[1]])
    return placement.to_image(cells)


def _within(corners: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Return (left, top, right, bottom) around (row, column) points, cut at the border of the image."""
    (top, left), (bottom, right) = corners.min(axis=0), corners.max(axis=0)
    rows, columns = shape
    return (
        float(np.clip(left, 0, columns)),
        float(np.clip(top, 0, rows)),
        float(np.clip(right, 0, columns)),
        float(np.clip(bottom, 0, rows)),
    )
