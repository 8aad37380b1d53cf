"""One image in another transfer syntax, decoded in a process of its own: a decoder that crashes takes nobody along."""

import subprocess
import sys
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import UID

from triage.errors import UnsupportedPixels

LONGEST_S = 120.0


def transcoded(path: Path, folder: Path, transfer_syntax_uid: str) -> Path:
    """Return a file in `folder` with the instance of `path` in an uncompressed transfer syntax.

    Pixel values stay what a decoder makes of them and the SOP Instance UID stays, as no new loss is added (PS3.3
    C.7.6.1.1.5); colour by luminance and chrominance becomes RGB.

    Raises:
        UnsupportedPixels: it cannot be decoded, or not within two minutes.
    """
    out = folder / path.name
    command = [sys.executable, "-m", "dicom_gateway.transcoding", str(path), str(out), transfer_syntax_uid]
    try:
        done = subprocess.run(command, capture_output=True, timeout=LONGEST_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise UnsupportedPixels(f"{path.name}: not decoded within {LONGEST_S:.0f} s") from error
    if done.returncode != 0 or not out.is_file():
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        kind = said.partition(":")[0] or f"exit {done.returncode}"
        raise UnsupportedPixels(f"{path.name}: not decoded for transfer syntax {transfer_syntax_uid}: {kind}")
    return out


def transcode(source: Path, target: Path, transfer_syntax_uid: str) -> None:
    """Write `source` to `target` uncompressed."""
    image = dcmread(source)
    if image.file_meta.TransferSyntaxUID.is_compressed and not image.file_meta.TransferSyntaxUID.is_deflated:
        image.decompress(generate_instance_uid=False)
    syntax = UID(transfer_syntax_uid)
    image.file_meta.TransferSyntaxUID = syntax
    image.save_as(target, implicit_vr=syntax.is_implicit_VR, little_endian=True, enforce_file_format=True)


if __name__ == "__main__":
    transcode(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
