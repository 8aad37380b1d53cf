"""A second process for the decoder that may die: what kills it becomes an error here, and the worker lives on."""

import json
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import IO

import numpy as np
from pydicom import dcmread
from pydicom.dataset import FileDataset

from inference.decoding import DecodedPixels, can_kill_the_process, decoded
from triage.errors import UnsupportedPixels

PACKAGE_ROOT = Path(__file__).resolve().parents[1]


class DecoderProcess:
    """Decodes pixel data, the dangerous kind in a child process that starts at its first use and is kept.

    The child ends with this object, or with the process that holds it, whose end it sees as the end of its input.
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self._child: subprocess.Popen[bytes] | None = None
        self._busy = threading.Lock()

    def decoded(self, dataset: FileDataset) -> DecodedPixels:
        """Return the pixels of `dataset` as `inference.decoding.decoded` does, from its file where that may be deadly.

        Raises:
            UnsupportedPixels: the pixel data cannot be decoded, or the decoder died of them.
        """
        if not can_kill_the_process(dataset):
            return decoded(dataset)
        with self._busy:
            child = self._living_child()
            try:
                return _asked(child, Path(str(dataset.filename)))
            except (EOFError, OSError) as error:
                child.kill()
                status = child.wait()
                raise UnsupportedPixels(
                    f"{dataset.SOPInstanceUID}: {dataset.file_meta.TransferSyntaxUID.name}: "
                    f"pixel data cannot be decoded: the decoder ended with status {status}"
                ) from error

    def _living_child(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "inference.decoder_process"],
                cwd=PACKAGE_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            weakref.finalize(self, _end, self._child)
        return self._child


def _asked(child: subprocess.Popen[bytes], path: Path) -> DecodedPixels:
    """Return what the child says about one file; EOFError or OSError when it is gone."""
    if child.stdin is None or child.stdout is None:
        raise OSError("the decoder has no pipes")
    child.stdin.write(json.dumps(str(path.resolve())).encode() + b"\n")
    child.stdin.flush()
    line = child.stdout.readline()
    if not line.endswith(b"\n"):
        raise EOFError("the decoder ended")
    answer = json.loads(line)
    if "error" in answer:
        raise UnsupportedPixels(answer["error"])
    size = int(answer["bytes"])
    content = child.stdout.read(size)
    if len(content) < size:
        raise EOFError("the decoder ended")
    array = np.frombuffer(content, np.dtype(answer["dtype"])).reshape(answer["shape"])
    return DecodedPixels(array, answer["photometric"])


def _end(child: subprocess.Popen[bytes]) -> None:
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            stream.close()
    child.wait()


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer each path on `requests`, one JSON string a line, with a line of JSON and, when decoded, the pixels."""
    for request in requests:
        try:
            pixels = decoded(dcmread(json.loads(request)))
        except UnsupportedPixels as error:
            answers.write(json.dumps({"error": str(error)}).encode() + b"\n")
        else:
            header = {
                "bytes": pixels.array.nbytes,
                "dtype": pixels.array.dtype.str,
                "shape": pixels.array.shape,
                "photometric": pixels.photometric,
            }
            answers.write(json.dumps(header).encode() + b"\n")
            answers.write(np.ascontiguousarray(pixels.array).tobytes())
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
