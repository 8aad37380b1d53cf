"""Answers about studies as lines of JSON in a file, so that what was stopped goes on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from triage.findings import Mask, Region
from triage.identifiers import SopInstanceUid
from validation.answers import ImageAnswer, StudyAnswer
from validation.labelled_images import LabelledStudy

Record = Mapping[str, object]
"""One answer with the seconds that it took, as it stands in the file."""


def record_of(given: StudyAnswer, seconds: float) -> Record:
    """Return what is kept of an answer."""
    places = {image.name: number for number, image in enumerate(given.study.images)}
    images = [
        {
            "place": places[one.image.name],
            "name": one.name,
            "probability": one.probability,
            "outline": asdict(one.outline) if one.outline else None,
            "regions": [asdict(region) for region in one.regions],
        }
        for one in given.images
    ]
    return {
        "study": given.study.study,
        "probability": given.probability,
        "images": images,
        "refusal": given.refusal,
        "notes": given.notes,
        "provider": given.provider,
        "seconds": seconds,
    }


def answer_from(study: LabelledStudy, record: Record) -> StudyAnswer:
    """Return the answer about `study` that `record_of` kept."""
    images, notes, probability = record["images"], record["notes"], record["probability"]
    assert isinstance(images, list)
    assert isinstance(notes, list | tuple)
    return StudyAnswer(
        study=study,
        probability=probability if isinstance(probability, float) else None,
        images=tuple(_image(study, one) for one in images),
        refusal=str(record["refusal"]),
        notes=tuple(map(str, notes)),
        provider=str(record["provider"]),
    )


def read_kept(path: Path) -> dict[str, Record]:
    """Return the answers that were written whole, by study; a last line that was cut off is taken away."""
    if not path.exists():
        return {}
    whole, kept = 0, {}
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        whole += len(line)
        record = json.loads(line)
        kept[str(record["study"])] = record
    with path.open("r+b") as file:
        file.truncate(whole)
    return kept


def _image(study: LabelledStudy, kept: Mapping[str, object]) -> ImageAnswer:
    regions, outline = kept["regions"], kept["outline"]
    assert isinstance(regions, list)
    return ImageAnswer(
        image=study.images[int(str(kept["place"]))],
        name=str(kept["name"]),
        probability=float(str(kept["probability"])),
        outline=_mask(outline) if isinstance(outline, dict) else None,
        regions=tuple(map(_region, regions)),
    )


def _mask(kept: Mapping[str, object]) -> Mask:
    return Mask(
        SopInstanceUid(str(kept["sop_instance_uid"])),
        int(str(kept["rows"])),
        int(str(kept["columns"])),
        str(kept["packed"]),
        _frame(kept),
    )


def _region(kept: Mapping[str, object]) -> Region:
    box = kept["box"]
    assert isinstance(box, Sequence)
    left, top, right, bottom = box
    uid, probability = SopInstanceUid(str(kept["sop_instance_uid"])), float(str(kept["probability"]))
    return Region(uid, (left, top, right, bottom), probability, _frame(kept))


def _frame(kept: Mapping[str, object]) -> int | None:
    frame = kept["frame_number"]
    return frame if isinstance(frame, int) else None
