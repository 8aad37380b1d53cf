"""Images a second from DICOM files to findings, against bare ONNX Runtime on the same tensors in the same run.

End to end is what the triage worker does with a series: read, decode, check, prepare, infer, gate, findings, masks.
Head CTs are drawn; images of the other modalities are real ones as DICOM, where `../shared/data` lies beside the
project.
"""

import argparse
import csv
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.file_headers import header_of_file
from inference.analyser import BundleAnalyser, tensor_contract
from inference.decoder_process import DecoderProcess
from inference.dicom_volume import read_volume
from inference.onnx_runtime import open_onnx
from inference.preprocess import prepare
from inference.runtime import ProviderPolicy
from inference.stacking import rule_for
from models.bundle import Bundle
from models.registry import find_bundle
from tests.head_ct_files import write_head_ct
from triage.study import Series, StoredFile
from validation.labelled_images import file_sha256
from validation.to_dicom import to_dicom

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
REAL = {
    "us-breast-lesion": ("us_breast", "patient", 8),
    "mr-brain-flair": ("mr_brain_flair", "patient", 3),
    "xr-chest-opacity": ("xr_chest", "patient", 8),
}
"""The set of each model, its column of patients, and how many of them to take."""
DRAWN_HEADS = 4


def measure(arguments: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield one line per bundle."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench analysis", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of the CPU for one analysis, and for the bare network")
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        heads = [write_head_ct(Path(folder) / f"head-{seed}", seed, bleed=seed % 2 == 0) for seed in range(DRAWN_HEADS)]
        yield _line("ct-head-haemorrhage", [_series(files) for files in heads], options)
        for name, (data, column, patients) in REAL.items():
            if (SHARED / data).is_dir():
                part = part_of_set(data, column, Path(folder) / data, slice(patients))
                yield _line(name, series_of_set(part), options)


def _line(name: str, series: Sequence[Series], options: argparse.Namespace) -> dict[str, Any]:
    bundle = find_bundle(name)
    analyser = BundleAnalyser((bundle,), ProviderPolicy.CPU_ONLY, options.threads)
    tensors = [tensor for one in series for tensor in tensors_of(bundle, one)]
    bare = open_onnx(bundle.onnx_path, tensor_contract(bundle.spec), ProviderPolicy.CPU_ONLY, options.threads)
    images = sum(len(one.images) for one in series)
    analyser.warm_up()
    end_to_end, network = [], []
    for _ in range(options.repeats):
        begun = time.perf_counter()
        refused = [one for one in series if analyser.analyse(bundle.identity, one).out_of_scope]
        end_to_end.append(images / (time.perf_counter() - begun))
        begun = time.perf_counter()
        for tensor in tensors:
            bare.run(tensor)
        network.append(images / (time.perf_counter() - begun))
    return {
        "model": f"{name} {bundle.identity.version}",
        "unit": "images/s",
        "images": images,
        "refused_series": len(refused),
        "threads": options.threads,
        "end_to_end": round(median(end_to_end), 1),
        "bare_onnx_runtime": round(median(network), 1),
        "share": round(median(end_to_end) / median(network), 3),
    }


def tensors_of(bundle: Bundle, series: Series) -> Iterator[NDArray[np.float32]]:
    """Yield what the network sees of a series, exactly as in service."""
    decoder, rule = DecoderProcess(), rule_for(bundle.spec.accepts)
    paths = [Path(file.path) for file in series.files]
    for part in [[path] for path in paths] if bundle.spec.accepts.stills else [series]:
        yield prepare(read_volume(part, rule, decoder), bundle.spec).tensor


def part_of_set(data: str, column: str, part: Path, patients: slice) -> Path:
    """Write some patients of a real set, in the order in which its `column` names them, as a set in `part`."""
    source = SHARED / data
    part.mkdir(parents=True)
    (part / "dataset.toml").write_text((source / "dataset.toml").read_text())
    for name in (one.name for one in source.iterdir() if one.is_dir()):
        (part / name).symlink_to(source / name)
    with (source / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    wanted = set(list(dict.fromkeys(row[column] for row in rows))[patients])
    with (part / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(row for row in rows if row[column] in wanted)
    return part


def series_of_set(part: Path) -> list[Series]:
    """Return the series of a set, written as DICOM beside it."""
    made = part.with_name(f"{part.name}-dicom")
    to_dicom(part, made, lambda _done, _all: None)
    by_series: dict[Path, list[Path]] = {}
    for path in sorted(made.rglob("*.dcm")):
        by_series.setdefault(path.parent, []).append(path)
    return [_series(files) for files in by_series.values()]


def _series(files: Sequence[Path]) -> Series:
    headers = [header_of_file(path) for path in files]
    return Series(
        header=headers[0].series,
        study_description=headers[0].study.study_description,
        images=tuple(header.image for header in headers),
        files=tuple(StoredFile(file_sha256(path), path.stat().st_size, str(path), "") for path in files),
    )
