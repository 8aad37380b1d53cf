"""Sends de-identified copies of received images; what cannot be cleaned is refused, with the reason."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom import config
from pydicom.dataset import FileDataset

from dicom_gateway.deidentification.identities import Identities, read_key
from dicom_gateway.deidentification.images import Deidentifier, StudyReport
from dicom_gateway.deidentification.profile import Option
from dicom_gateway.originals import DicomOriginalSender
from triage.errors import CannotDeidentify, DestinationUnavailable, PermanentError
from triage.identifiers import SopInstanceUid
from triage.ports import SentOriginal, StoredOriginal

CLEANED_AT_ONCE = 64
LONGEST_S = 300.0
"""For so many images."""


@dataclass(frozen=True, slots=True)
class DeidentifiedSender:
    """Satisfies `triage.ports.OriginalSender`; `retained` says for a destination what its copies keep."""

    originals: DicomOriginalSender
    key_file: Path
    retained: Mapping[str, frozenset[Option]]

    def send_originals(self, originals: Sequence[StoredOriginal], destination: str) -> Iterator[SentOriginal]:
        """Yield what became of each copy, under the UID of its original; nothing but cleaned files is ever sent.

        Raises:
            DestinationUnavailable, DestinationRefused: as `DicomOriginalSender.send_originals`.
        """
        for start in range(0, len(originals), CLEANED_AT_ONCE):
            batch = originals[start : start + CLEANED_AT_ONCE]
            with TemporaryDirectory(prefix="acuity-") as folder:
                copies: dict[SopInstanceUid, SopInstanceUid] = {}
                cleaned: list[StoredOriginal] = []
                for original, outcome in self._cleaned(batch, Path(folder), destination):
                    if isinstance(outcome, PermanentError):
                        yield SentOriginal(original.sop_instance_uid, original.transfer_syntax_uid, outcome)
                        continue
                    cleaned.append(outcome)
                    copies[outcome.sop_instance_uid] = original.sop_instance_uid
                if cleaned:
                    for sent in self.originals.send_originals(cleaned, destination):
                        yield replace(sent, sop_instance_uid=copies[sent.sop_instance_uid])

    def _cleaned(
        self, batch: Sequence[StoredOriginal], folder: Path, destination: str
    ) -> Iterator[tuple[StoredOriginal, StoredOriginal | CannotDeidentify]]:
        """Clean in a process of its own, as pixels may have to be decoded; the image that ends it is refused."""
        options = ",".join(sorted(self.retained.get(destination, frozenset())))
        command = [sys.executable, "-m", "dicom_gateway.deidentified_copies", str(self.key_file), options, str(folder)]
        left = list(batch)
        while left:
            told, ending = _said(command, "\n".join(one.path for one in left))
            for original, line in zip(left, told, strict=False):
                copy = json.loads(line)
                yield original, (CannotDeidentify(copy["reason"]) if "reason" in copy else StoredOriginal(**copy))
            left = left[len(told) :]
            if left:
                yield left.pop(0), CannotDeidentify(f"cleaning ended: {ending}")


def clean(paths: Sequence[Path], deidentifier: Deidentifier, folder: Path) -> Iterator[dict[str, str]]:
    """Write the cleaned images to `folder`, and yield for each the fields of a StoredOriginal, or the `reason`."""
    reports: dict[str, StudyReport] = {}
    for number, path in enumerate(paths):
        try:
            image = deidentifier.clean(path, reports)
        except PermanentError as error:
            yield {"reason": str(error)}
            continue
        target = folder / f"{image.SOPInstanceUID}-{number}.dcm"
        _write(image, target)
        yield {
            "sop_instance_uid": str(image.SOPInstanceUID),
            "sop_class_uid": str(image.SOPClassUID),
            "transfer_syntax_uid": str(image.file_meta.TransferSyntaxUID),
            "path": str(target),
        }


def _write(image: FileDataset, target: Path) -> None:
    syntax = image.file_meta.TransferSyntaxUID
    little = syntax.is_little_endian
    image.save_as(target, implicit_vr=syntax.is_implicit_VR, little_endian=little, enforce_file_format=True)


def _said(command: Sequence[str], paths: str) -> tuple[list[str], str]:
    """Return the whole lines that the cleaning process said, and how it ended.

    Raises:
        DestinationUnavailable: it could not even begin (no key, no memory): to be tried again, nothing is refused.
    """
    try:
        done = subprocess.run(command, input=paths, capture_output=True, text=True, timeout=LONGEST_S, check=False)
        said, ending = done.stdout, f"exit {done.returncode}"
    except subprocess.TimeoutExpired as error:
        said, ending = (error.stdout or b"").decode(), f"not done within {LONGEST_S:.0f} s"
    begun, *lines = said.split("\n")
    if begun != _BEGUN:
        raise DestinationUnavailable(f"no copies are cleaned: {ending} before the first image")
    return lines[:-1], ending


_BEGUN = "begun"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(key_file: str, options: str, folder: str) -> None:
    """Clean the files named on standard input, one line of JSON for each."""
    # A value that breaks the rules is cleaned as any other; pydicom would warn of it with the value itself.
    config.settings.reading_validation_mode = config.settings.writing_validation_mode = config.IGNORE
    retained = frozenset(Option(one) for one in options.split(",") if one)
    deidentifier = Deidentifier(Identities(read_key(Path(key_file))), retained)
    paths = [Path(line) for line in sys.stdin.read().split("\n")]
    _say(_BEGUN)
    for line in clean(paths, deidentifier, Path(folder)):
        _say(json.dumps(line))


if __name__ == "__main__":
    main(*sys.argv[1:4])
