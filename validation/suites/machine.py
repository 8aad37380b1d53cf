"""Whether the answer depends on the machine: asked twice, with other threads, in other batches, on other devices."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from inference.analyser import tensor_contract
from inference.onnx_runtime import BATCH_IMAGES, CUDA, open_onnx
from inference.preprocess import prepare
from inference.quality import assess
from inference.runtime import Outputs, ProviderPolicy, Runtime
from validation.answering import Subject
from validation.answers import NOT_READABLE, assumed_studies
from validation.asking import Asker, Progress
from validation.discrimination import roc_area
from validation.labelled_images import LabelledStudy
from validation.result_document import Json, area_object
from validation.suites.chosen_cases import cases_of, common_cases, subset
from validation.suites.part_result import PartResult, rounded
from validation.suites.suite_file import Machine

TENSORRT = "no session of Acuity uses TensorRT"
TORCH = "the bundle holds no weights for torch; its recipe compares both when it exports"


def machine(asker: Asker, folder: Path, plan: Machine, seed: int, progress: Progress) -> PartResult:
    """Return how answers differ from run to run and from device to device, and how many images a second are answered.

    Two runs on one device must agree to the last bit; numbers of threads and of images in a batch, and devices, within
    the tolerance.
    """
    subject = asker.subject
    studies = subset(subject.dataset, -(-plan.studies // 2), plan.studies // 2, seed)
    findings: list[str] = []
    figures: dict[str, Json] = {"tolerance": plan.tolerance}
    figures["throughput"] = _throughput(asker, studies)
    figures["determinism"] = _determinism(subject, studies, plan.tolerance, findings)
    figures["parity"] = _parity(asker, folder, studies, plan.tolerance, progress, findings)
    return PartResult(figures, tuple(findings))


def _throughput(asker: Asker, studies: Sequence[LabelledStudy]) -> Json:
    asked = asker.ask("unaltered", studies)
    images = sum(len(one.study.images) for one in asked.answers)
    return {"images": images, "images_per_s": rounded(images / asked.seconds, 2) if asked.seconds > 0 else None}


def _determinism(
    subject: Subject, studies: Sequence[LabelledStudy], tolerance: float, findings: list[str]
) -> dict[str, Json]:
    if subject.dataset.is_dicom:
        return {"not_measured": "on plain images only"}
    tensors = [tensor for study in studies for tensor in _tensors(subject, study)]
    if not tensors:
        return {"not_measured": "every image was refused"}
    tensor = np.concatenate(tensors)
    session = _opened(subject)
    first = session.run(tensor)
    # A generator of random numbers starts anew with its session: both the same session and another one are asked.
    again = max(_largest(first, one.run(tensor)) for one in (session, _opened(subject)))
    other_threads, one_by_one = (
        _largest(first, _opened(subject, threads, batch).run(tensor)) for threads, batch in ((1, BATCH_IMAGES), (0, 1))
    )
    if again != 0:
        findings.append(f"not deterministic: the same images asked twice differ by up to {again:.3g}")
    for said, found in (("another number of threads", other_threads), ("other batches", one_by_one)):
        if found > tolerance:
            findings.append(f"not deterministic: {said} change an output by {found:.3g}, at most {tolerance:g}")
    return {
        "images": len(tensor),
        "largest_difference_again": again,
        "largest_difference_threads": other_threads,
        "largest_difference_batches": one_by_one,
    }


def _tensors(subject: Subject, study: LabelledStudy) -> list[NDArray[np.float32]]:
    spec = subject.bundle.spec
    try:
        volumes = [one.volume for one in assumed_studies(study, subject.dataset)]
    except NOT_READABLE:
        return []
    return [prepare(volume, spec).tensor for volume in volumes if assess(volume, spec).refusal is None]


def _opened(subject: Subject, more_threads: int = 0, batch: int = BATCH_IMAGES) -> Runtime:
    spec, path = subject.bundle.spec, subject.bundle.onnx_path
    return open_onnx(path, tensor_contract(spec), subject.policy, subject.threads + more_threads, batch)


def _largest(first: Outputs, second: Outputs) -> float:
    """Return the largest difference of the two outputs that decide: logits and map."""
    return max(float(np.abs(first[name] - second[name]).max()) for name in ("logits", "map"))


def _parity(
    asker: Asker,
    folder: Path,
    studies: Sequence[LabelledStudy],
    tolerance: float,
    progress: Progress,
    findings: list[str],
) -> dict[str, Json]:
    """Return AUC and largest difference of a probability of every device that is here, against the CPU."""
    subject = asker.subject
    policies = [ProviderPolicy.CPU_ONLY]
    if CUDA in onnxruntime.get_available_providers():
        policies.append(ProviderPolicy.REQUIRE_GPU)
    asked = [
        (asker if policy is subject.policy else Asker(replace(subject, policy=policy), folder, progress)).ask(
            "unaltered", studies
        )
        for policy in policies
    ]
    rows: list[Json] = []
    reference = cases_of(asked[0].answers, "image")
    for policy, one in zip(policies, asked, strict=True):
        cases = cases_of(one.answers, subject.unit)
        before, after = common_cases(reference, cases_of(one.answers, "image"))
        largest = float(np.abs(before.scores - after.scores).max()) if len(before.names) else None
        area = roc_area(cases.truth.tolist(), cases.scores.tolist(), cases.clusters)
        provider = next((answer.provider for answer in one.answers if answer.provider), None)
        rows.append({"provider": provider, "auc": area_object(area), "largest_difference": largest})
        if largest is not None and largest > tolerance:
            findings.append(f"device parity: {policy.value} differs from the CPU by {largest:.3g}, at most {tolerance}")
    missing = [] if len(policies) > 1 else [f"CUDA: this machine offers no {CUDA}"]
    return {"providers": rows, "not_measured": [*missing, f"TensorRT: {TENSORRT}", f"torch: {TORCH}"]}
