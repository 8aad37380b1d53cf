"""`configs/triage.json`: what fits is read, what does not is refused with file, key, value found and value needed."""

import copy
import json
import re
from pathlib import Path

import pytest

from models.triage_spec import Aggregation, OperatingPoint, TriageSpec, read_triage_spec
from triage.errors import InvalidBundle
from triage.findings import Code
from triage.priority import Priority

SOUND = {
    "name": "a-model",
    "version": "1.0.0",
    "task": "something",
    "code": {"value": "1386000", "scheme": "SCT", "meaning": "Intracranial hemorrhage"},
    "site": {"value": "12738006", "scheme": "SCT", "meaning": "Brain"},
    "raises_to": "CRITICAL",
    "accepts": {
        "modalities": ["CT"],
        "sop_class_uids": [],
        "body_parts": ["HEAD"],
        "excluded_words": ["SCOUT"],
        "image_type_excludes": ["LOCALIZER"],
        "min_slices": 10,
        "min_extent_mm": 80.0,
        "slice_spacing_mm": [0.3, 7.5],
        "orientation": "axial",
        "max_obliquity_degrees": 30.0,
        "min_rows": 256,
    },
    "preparation": {
        "unit": "HU",
        "window": [-20.0, 100.0],
        "centre": 35.0,
        "scale": 30.0,
        "crop": "head",
        "rows": 192,
        "columns": 192,
        "channels": ["this", "mirrored"],
        "slab_mm": 5.0,
    },
    "aggregation": {"smooth_slices": 3, "top_slices": 2},
    "calibration": {"image": {"slope": 1.0, "intercept": 0.5}, "study": {"slope": 2.0, "intercept": -1}},
    "operating_points": [{"name": "balanced", "threshold": 0.5}, {"name": "high_specificity", "threshold": 0.9}],
    "active_operating_point": "balanced",
    "display_policy": "localising",
    "licence": "CC-BY-4.0",
    "citation": "somebody",
}


def read(folder: Path, content: object) -> TriageSpec:
    (folder / "configs").mkdir(exist_ok=True)
    (folder / "configs/triage.json").write_text(json.dumps(content), encoding="utf-8")
    return read_triage_spec(folder)


def changed(path: str, value: object) -> dict[str, object]:
    """Return SOUND with the value at the dotted `path` replaced."""
    content: dict[str, object] = copy.deepcopy(SOUND)
    *way, last = path.split(".")
    place = content
    for key in way:
        place = place[key]  # type: ignore[assignment]
    place[last] = value
    return content


def test_a_sound_spec_is_read(tmp_path: Path) -> None:
    spec = read(tmp_path, SOUND)

    assert spec.code == Code("1386000", "SCT", "Intracranial hemorrhage")
    assert spec.raises_to is Priority.CRITICAL
    assert spec.accepts.slice_spacing_mm == (0.3, 7.5)
    assert spec.aggregation == Aggregation(smooth_slices=3, top_slices=2)
    assert spec.active == OperatingPoint("balanced", 0.5)


def test_a_model_of_single_images_need_not_state_a_slice_spacing(tmp_path: Path) -> None:
    assert read(tmp_path, changed("accepts.slice_spacing_mm", None)).accepts.slice_spacing_mm is None


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("raises_to", "STAT", 'raises_to: found "STAT", needed one of CRITICAL, URGENT, ROUTINE'),
        ("version", "", 'version: found "", needed a text that is not empty'),
        ("accepts.modalities", ["ct"], 'accepts.modalities: found ["ct"], needed at least one modality, in capitals'),
        ("accepts.min_slices", 0, "accepts.min_slices: found 0, needed a whole number from 1 to 1000000"),
        ("accepts.min_slices", True, "accepts.min_slices: found true, needed a whole number from 1 to 1000000"),
        ("accepts.slice_spacing_mm", [7, 1], "accepts.slice_spacing_mm: found [7, 1], needed two numbers, the lower"),
        ("accepts.max_obliquity_degrees", 91, "found 91, needed a number from 0 to 90"),
        ("preparation.scale", 0, "preparation.scale: found 0.0, needed a number above 0"),
        ("preparation.channels", ["red"], 'preparation.channels: found ["red"], needed at least one of this, previous'),
        ("aggregation.smooth_slices", 2, "aggregation.smooth_slices: found 2, needed an odd number"),
        ("calibration.study.slope", -1, "calibration.study.slope: found -1.0, needed a number above 0"),
        ("operating_points", [], "operating_points: found [], needed a list with at least one object"),
        ("active_operating_point", "best", 'found "best", needed one of balanced, high_specificity'),
        ("display_policy", "all", 'display_policy: found "all", needed one of localising, triage_only'),
        ("thresold", 0.5, 'thresold: found "key", needed one of name, version'),
    ],
)
def test_what_does_not_fit_is_refused_with_key_value_and_need(
    tmp_path: Path, path: str, value: object, message: str
) -> None:
    with pytest.raises(InvalidBundle, match=re.escape(message)) as refused:
        read(tmp_path, changed(path, value))

    assert str(refused.value).startswith(f"{tmp_path.name}/configs/triage.json: ")


@pytest.mark.parametrize("key", sorted(SOUND))
def test_every_key_is_needed(tmp_path: Path, key: str) -> None:
    with pytest.raises(InvalidBundle, match=f"triage.json: {key}: absent, needed"):
        read(tmp_path, {name: value for name, value in SOUND.items() if name != key})


def test_two_operating_points_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = [{"name": "balanced", "threshold": 0.5}, {"name": "balanced", "threshold": 0.6}]

    with pytest.raises(InvalidBundle, match="needed names that differ"):
        read(tmp_path, changed("operating_points", twice))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "needed JSON"),
        ("[]", "found list, needed an object"),
        ('{"a": NaN}', "the number NaN, needed JSON"),
        ('{"a": 1, "a": 2}', "the key a twice, needed JSON"),
    ],
)
def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/triage.json").write_text(text, encoding="utf-8")

    with pytest.raises(InvalidBundle, match=message):
        read_triage_spec(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle, match=r"configs/triage.json: cannot be read"):
        read_triage_spec(tmp_path)
