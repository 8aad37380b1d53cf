"""What a bundle's `configs/triage.json` says: what a model may see, how images are prepared, what its numbers mean."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from models.strict_json import Fields, read_json_object
from triage.findings import Code
from triage.priority import Priority
from triage.selection import Acceptance

SPEC_FILE = "configs/triage.json"
Unit = Literal["HU", "stored"]
Crop = Literal["head", "none"]
Normalisation = Literal["window", "percentiles"]
Channel = Literal["this", "previous", "next", "mirrored", "inside"]
DisplayPolicy = Literal["localising", "triage_only"]


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a volume becomes the tensor of the network.

    `window` clips the values (HU for CT); `centre` and `scale` make them (value - centre) / scale afterwards.
    With `normalisation` "percentiles", for images without a unit, `window` names two percentiles of the volume's own
    values instead; they become 0 and 1, what lies beyond is clipped, and `centre` and `scale` count from there.
    `crop` "head" places the network's grid on the inside of the skull; "none" on the whole image.
    Volumes with slices nearer than `slab_mm` are averaged over a slab of that thickness, and the channels "previous"
    and "next" come from the slice about `slab_mm` away; where the spacing is not known, from the next slice.
    "mirrored" is the slice with left and right exchanged, "inside" is 1 inside the skull and 0 elsewhere.
    """

    unit: Unit
    window: tuple[float, float]
    centre: float
    scale: float
    crop: Crop
    rows: int
    columns: int
    channels: tuple[Channel, ...]
    slab_mm: float
    normalisation: Normalisation = "window"

    @property
    def value_range(self) -> tuple[float, float]:
        """Lowest and highest value before `centre` and `scale` apply."""
        return self.window if self.normalisation == "window" else (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Aggregation:
    """How the scores of slices become the score of a study.

    Slice logits are averaged over `smooth_slices` neighbours (odd; at the ends over those that exist), and the study
    logit is the mean of the `top_slices` highest.
    """

    smooth_slices: int
    top_slices: int


@dataclass(frozen=True, slots=True)
class LogisticCurve:
    """Platt scaling: probability = 1 / (1 + exp(-(slope * logit + intercept)))."""

    slope: float
    intercept: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """From logits to probabilities, one curve for slices and one for studies, fitted on out-of-fold scores."""

    image: LogisticCurve
    study: LogisticCurve


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A named threshold on the calibrated probability of a study."""

    name: str
    threshold: float


@dataclass(frozen=True, slots=True)
class Segmentation:
    """How the network's map becomes a mask: cells whose probability reaches `threshold`, in pieces of at least
    `min_share` of the image. `code` is what the mask shows (a segmented property type, PS3.16 CID 7159 and others)."""

    threshold: float
    min_share: float
    code: Code


@dataclass(frozen=True, slots=True)
class TriageSpec:
    """The whole of `configs/triage.json`.

    With a `novelty_limit` the network has an output "novelty": how far an image lies from those it was trained on, 1
    being usual. Above the limit the model does not answer. With `members` it has the outputs "member_logits" and
    "member_maps" besides: what each network of the cross-validation says, in the order of the folds.
    """

    name: str
    version: str
    task: str
    code: Code
    site: Code
    raises_to: Priority
    accepts: Acceptance
    preparation: Preparation
    aggregation: Aggregation
    calibration: Calibration
    operating_points: tuple[OperatingPoint, ...]
    active_operating_point: str
    display_policy: DisplayPolicy
    licence: str
    citation: str
    segmentation: Segmentation | None = None
    novelty_limit: float | None = None
    members: int = 0

    @property
    def active(self) -> OperatingPoint:
        """The operating point in use."""
        return next(point for point in self.operating_points if point.name == self.active_operating_point)


def read_triage_spec(folder: Path) -> TriageSpec:
    """Return what the bundle in `folder` says in `configs/triage.json`.

    Raises:
        InvalidBundle: a key is absent, misspelt or has a value that does not fit; the message names file, key, the
            value found and the value needed.
    """
    fields = read_json_object(folder / SPEC_FILE, f"{folder.name}/{SPEC_FILE}")
    fields.only(*TriageSpec.__dataclass_fields__)
    points = tuple(_operating_point(one) for one in fields.objects("operating_points"))
    names = tuple(point.name for point in points)
    if len(set(names)) < len(names):
        raise fields.wrong("operating_points", list(names), "names that differ")
    return TriageSpec(
        name=fields.text("name"),
        version=fields.text("version"),
        task=fields.text("task"),
        code=_code(fields.object("code")),
        site=_code(fields.object("site")),
        raises_to=Priority[fields.one_of("raises_to", tuple(Priority.__members__))],
        accepts=_acceptance(fields.object("accepts")),
        preparation=_preparation(fields.object("preparation")),
        aggregation=_aggregation(fields.object("aggregation")),
        calibration=_calibration(fields.object("calibration")),
        operating_points=points,
        active_operating_point=fields.one_of("active_operating_point", names),
        display_policy=fields.one_of("display_policy", get_args(DisplayPolicy)),
        licence=fields.text("licence"),
        citation=fields.text("citation"),
        segmentation=_segmentation(fields),
        novelty_limit=None if fields.values.get("novelty_limit") is None else fields.number("novelty_limit", low=0),
        members=fields.whole("members", low=0, high=100) if "members" in fields.values else 0,
    )


def _code(fields: Fields) -> Code:
    fields.only("value", "scheme", "meaning")
    return Code(fields.text("value"), fields.text("scheme"), fields.text("meaning"))


def _acceptance(fields: Fields) -> Acceptance:
    fields.only(*Acceptance.__dataclass_fields__)
    modalities = fields.texts("modalities")
    if not modalities or any(modality != modality.upper() for modality in modalities):
        raise fields.wrong("modalities", list(modalities), "at least one modality, in capitals")
    return Acceptance(
        modalities=modalities,
        sop_class_uids=fields.texts("sop_class_uids"),
        body_parts=fields.texts("body_parts"),
        excluded_words=fields.texts("excluded_words"),
        image_type_excludes=fields.texts("image_type_excludes"),
        min_slices=fields.whole("min_slices", low=1),
        min_extent_mm=fields.number("min_extent_mm", low=0),
        slice_spacing_mm=None if fields.values.get("slice_spacing_mm", 0) is None else fields.pair("slice_spacing_mm"),
        orientation=fields.one_of("orientation", ("axial", "")),
        max_obliquity_degrees=fields.number("max_obliquity_degrees", low=0, high=90),
        min_rows=fields.whole("min_rows", low=1),
        slice_wise=fields.flag("slice_wise", absent=False),
        required_words=fields.texts("required_words") if "required_words" in fields.values else (),
        excluded_makers=fields.texts("excluded_makers") if "excluded_makers" in fields.values else (),
        stills=fields.flag("stills", absent=False),
        required_makers=fields.texts("required_makers") if "required_makers" in fields.values else (),
    )


def _preparation(fields: Fields) -> Preparation:
    fields.only(*Preparation.__dataclass_fields__)
    channels: tuple[Channel, ...] = get_args(Channel)
    chosen = fields.texts("channels")
    if not chosen or any(name not in channels for name in chosen):
        raise fields.wrong("channels", list(chosen), f"at least one of {', '.join(channels)}")
    scale = fields.number("scale")
    if scale <= 0:
        raise fields.wrong("scale", scale, "a number above 0")
    return Preparation(
        unit=fields.one_of("unit", get_args(Unit)),
        window=fields.pair("window"),
        centre=fields.number("centre"),
        scale=scale,
        crop=fields.one_of("crop", get_args(Crop)),
        rows=fields.whole("rows", low=16, high=4096),
        columns=fields.whole("columns", low=16, high=4096),
        channels=tuple(channel for name in chosen for channel in channels if channel == name),
        slab_mm=fields.number("slab_mm", low=0),
        normalisation=fields.one_of("normalisation", get_args(Normalisation), absent="window"),
    )


def _aggregation(fields: Fields) -> Aggregation:
    fields.only(*Aggregation.__dataclass_fields__)
    smooth_slices = fields.whole("smooth_slices", low=1)
    if smooth_slices % 2 == 0:
        raise fields.wrong("smooth_slices", smooth_slices, "an odd number")
    return Aggregation(smooth_slices, fields.whole("top_slices", low=1))


def _calibration(fields: Fields) -> Calibration:
    fields.only("image", "study")
    return Calibration(_curve(fields.object("image")), _curve(fields.object("study")))


def _curve(fields: Fields) -> LogisticCurve:
    fields.only("slope", "intercept")
    slope = fields.number("slope")
    if slope <= 0:
        raise fields.wrong("slope", slope, "a number above 0, so that a higher logit is a higher probability")
    return LogisticCurve(slope, fields.number("intercept"))


def _segmentation(fields: Fields) -> Segmentation | None:
    if fields.values.get("segmentation") is None:
        return None
    fields = fields.object("segmentation")
    fields.only("threshold", "min_share", "code")
    return Segmentation(
        fields.number("threshold", low=0, high=1),
        fields.number("min_share", low=0, high=1),
        _code(fields.object("code")),
    )


def _operating_point(fields: Fields) -> OperatingPoint:
    fields.only("name", "threshold")
    return OperatingPoint(fields.text("name"), fields.number("threshold", low=0, high=1))
