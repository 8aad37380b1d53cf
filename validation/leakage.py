"""Whether parts that must not know each other share patients or images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from triage.errors import InvalidDataset
from validation.image_files import read_image
from validation.labelled_images import LABELS_FILE, Dataset, LabelledImage
from validation.near_duplicates import NEAR, Hashes, near_pairs, perceptual_hash
from validation.result_document import Json

LISTED = 20
"""So many pairs are named; all are counted."""


@dataclass(frozen=True, slots=True)
class Leaks:
    """What two parts, or two patients, share; each pair of names once. `plain` images are too blank to compare."""

    patients: tuple[str, ...]
    identical: tuple[tuple[str, str], ...]
    near: tuple[tuple[str, str, int], ...]
    n_images: int
    n_plain: int
    between: str

    @property
    def found(self) -> tuple[str, ...]:
        """Each kind of leak in a sentence; none where nothing is shared."""
        said = []
        if self.patients:
            said.append(
                f"leak: {len(self.patients)} patients on both sides of {self.between}, first {self.patients[0]}"
            )
        if self.identical:
            one, other = self.identical[0]
            said.append(
                f"leak: {_pairs(self.identical)} of the same file across {self.between}, first {one} and {other}"
            )
        if self.near:
            one, other, bits = self.near[0]
            said.append(
                f"leak: {_pairs(self.near)} of near-duplicate images across {self.between}, first {one} and {other} "
                f"({bits} of 255 bits, at most {NEAR})"
            )
        return tuple(said)

    def as_object(self) -> dict[str, Json]:
        return {
            "between": self.between,
            "n_images": self.n_images,
            "n_too_plain": self.n_plain,
            "n_shared_patients": len(self.patients),
            "n_identical": len(self.identical),
            "n_near": len(self.near),
            "shared_patients": list(self.patients[:LISTED]),
            "identical": [list(pair) for pair in self.identical[:LISTED]],
            "near": [list(pair) for pair in self.near[:LISTED]],
            "near_bits": NEAR,
        }


@dataclass(frozen=True, slots=True)
class Side:
    """An image, the patient and the part it belongs to, and its perceptual hash where it has one."""

    image: LabelledImage
    part: str
    bits: Hashes | None = field(repr=False)

    @property
    def name(self) -> str:
        return self.image.name


def sides_of(dataset: Dataset, part_of_patient: Mapping[str, int], split: str | None) -> tuple[Side, ...]:
    """Return the images of a set with the part that each belongs to.

    Args:
        dataset: whose labelled images are compared.
        part_of_patient: the fold of a cross-validation; empty where there was none.
        split: the column of `labels.csv` that names the part, before the folds; None where there is none.

    Raises:
        InvalidDataset: the column is absent, or an image cannot be decoded.
    """
    sides = []
    for image in (image for study in dataset.studies for image in study.images):
        if split is not None and split not in image.row:
            place = f"{dataset.folder.name}/{LABELS_FILE}"
            raise InvalidDataset(f"{place}: column {split} absent, found {', '.join(image.row)}")
        part = image.row[split] if split is not None else str(part_of_patient.get(image.patient, ""))
        bits = None if dataset.is_dicom else perceptual_hash(read_image(image).pixels)
        sides.append(Side(image, part, bits))
    return tuple(sides)


def leaks_between_parts(sides: Sequence[Side], between: str) -> Leaks:
    """Return what different parts of one set share."""
    parts: dict[str, set[str]] = {}
    for one in sides:
        parts.setdefault(one.image.patient, set()).add(one.part)
    patients = tuple(sorted(patient for patient, found in parts.items() if len(found) > 1))
    return _leaks(sides, sides, between, patients, lambda one, other: one.part != other.part)


def leaks_between_patients(sides: Sequence[Side]) -> Leaks:
    """Return the images that two patients of one set share: then they may be one patient."""
    return _leaks(sides, sides, "patients", (), lambda one, other: one.image.patient != other.image.patient)


def leaks_between_sets(first: Sequence[Side], second: Sequence[Side], between: str, same_names: bool) -> Leaks:
    """Return what two sets share; patients only with `same_names`, when both name them alike."""
    patients = {one.image.patient for one in first} & {one.image.patient for one in second} if same_names else set()
    return _leaks(first, second, between, tuple(sorted(patients)), lambda _one, _other: True)


def _leaks(
    first: Sequence[Side],
    second: Sequence[Side],
    between: str,
    patients: tuple[str, ...],
    is_leak: Callable[[Side, Side], bool],
) -> Leaks:
    of_content: dict[str, list[Side]] = {}
    for one in second:
        if one.bits is not None or one.image.sop_instance_uid:
            of_content.setdefault(one.image.sha256, []).append(one)
    same = [(one, other) for one in first for other in of_content.get(one.image.sha256, ()) if is_leak(one, other)]
    hashed, others = ([one for one in sides if one.bits is not None] for sides in (first, second))
    found = near_pairs([_bits(one) for one in hashed], [_bits(one) for one in others])
    alike = [
        (hashed[i], others[j], bits)
        for i, j, bits in found
        if hashed[i].image.sha256 != others[j].image.sha256 and is_leak(hashed[i], others[j])
    ]
    if first is second:
        same = [(one, other) for one, other in same if one.name < other.name]
        alike = [(one, other, bits) for one, other, bits in alike if one.name < other.name]
    return Leaks(
        patients=patients,
        identical=tuple((one.name, other.name) for one, other in same),
        near=tuple((one.name, other.name, bits) for one, other, bits in alike),
        n_images=len(first),
        n_plain=len(first) - len(hashed),
        between=between,
    )


def _bits(one: Side) -> Hashes:
    assert one.bits is not None
    return one.bits


def _pairs(found: Sequence[object]) -> str:
    return "1 pair" if len(found) == 1 else f"{len(found)} pairs"
