"""Steps 4 to 6 of the main job: from the files of one series to what one model says about it."""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.decoder_process import DecoderProcess
from inference.dicom_volume import read_volume
from inference.onnx_runtime import open_onnx
from inference.postprocess import findings_from, joined
from inference.preprocess import prepare
from inference.quality import QualityReport, assess
from inference.runtime import Outputs, ProviderPolicy, Runtime, TensorContract
from inference.stacking import rule_for
from inference.volume import Volume
from models.bundle import Bundle
from models.integrity import file_digests, require_same
from models.triage_spec import TriageSpec
from triage.errors import InvalidBundle
from triage.findings import Analysis, Finding, ModelIdentity, StageSeconds
from triage.ports import ModelOffer
from triage.study import Series

INPUT_NAME = "image"
EMBEDDING = "embedding"
OUTPUT_NAMES = ("logits", "map", EMBEDDING)
NOVELTY = "novelty"
MEMBER_OUTPUTS = ("member_logits", "member_maps")


@dataclass(frozen=True, slots=True)
class VolumeAnswer:
    """What a model said about one volume.

    `findings` is empty and `provider` an empty string when `quality` refuses the images: nothing ran.
    `inference_seconds` is wall time from preparing the tensor to the findings. `novelty` is the median over the images,
    `embedding` their mean, to four digits.
    """

    quality: QualityReport
    findings: tuple[Finding, ...]
    provider: str
    inference_seconds: float
    novelty: float | None = None
    embedding: tuple[float, ...] = ()


class BundleAnalyser:
    """The models of some bundles, each loaded once, at its first use or by `warm_up`, and kept."""

    def __init__(
        self,
        bundles: Sequence[Bundle],
        policy: ProviderPolicy,
        threads: int,
        seconds: Callable[[], float] = time.perf_counter,
        with_members: bool = False,
    ) -> None:
        """Take the bundles in service; nothing is loaded yet.

        Args:
            bundles: as `models.registry` returns them.
            policy: which device may run them.
            threads: of the CPU, for one analysis.
            seconds: a clock that only goes forward, in seconds.
            with_members: whether the networks of the cross-validation may be asked one by one; for validation.
        """
        self._with_members = with_members
        self._bundles = {bundle.identity: bundle for bundle in bundles}
        self._policy = policy
        self._threads = threads
        self._decoder = DecoderProcess()
        self._seconds = seconds
        self._runtimes: dict[ModelIdentity, Runtime] = {}
        self._loading = threading.Lock()

    def offers(self) -> tuple[ModelOffer, ...]:
        """Return the models in service, in the order of their bundles."""
        return tuple(
            ModelOffer(identity=bundle.identity, acceptance=bundle.spec.accepts, looks_for=bundle.spec.task)
            for bundle in self._bundles.values()
        )

    def serves(self, model: ModelIdentity) -> bool:
        """Return whether `model` is in service."""
        return model in self._bundles

    def put_in_service(self, bundle: Bundle) -> None:
        """Take one more bundle; it is loaded at its first use."""
        self._bundles[bundle.identity] = bundle

    def keep_only(self, models: Collection[ModelIdentity]) -> None:
        """Take every model out of service that is not among `models`, and let go of its memory."""
        for model in self._bundles.keys() - set(models):
            del self._bundles[model]
            self._runtimes.pop(model, None)

    def warm_up(self) -> None:
        """Load every model and run it once, so that the first study does not wait and a fault shows at the start.

        Raises:
            InvalidBundle: a model does not load or does not do what its bundle says.
            ProviderUnavailable: the device that the policy asks for is not there.
        """
        for bundle in self._bundles.values():
            self._runtime(bundle)

    def analyse(self, model: ModelIdentity, series: Series, member: int | None = None) -> Analysis:
        """Return what `model` says about `series`, or why the images are out of its scope.

        `member` as in `analyse_volume`.

        Raises:
            InvalidGeometry: the slices are not what the model needs for a volume; nothing is guessed.
            UnsupportedPixels: an image cannot be decoded.
            UnreadableInstance: a file is missing or is not DICOM.
            InvalidBundle: `model` is not in service, or its weights do not load.
            ProviderUnavailable: the device that the policy asks for is not there.
        """
        bundle = self._in_service(model)
        started = self._seconds()
        volumes = self._volumes(bundle, series)
        answer = joined_answers([self.analyse_volume(bundle, volume, member) for volume in volumes])
        elapsed = self._seconds() - started
        return Analysis(
            model=model,
            series_instance_uid=series.header.series_instance_uid,
            provider=answer.provider,
            findings=answer.findings,
            seconds=StageSeconds(reading=elapsed - answer.inference_seconds, inference=answer.inference_seconds),
            quality=answer.quality.notes,
            out_of_scope=answer.quality.refusal,
            novelty=answer.novelty,
            embedding=answer.embedding,
        )

    def analyse_volume(self, bundle: Bundle, volume: Volume, member: int | None = None) -> VolumeAnswer:
        """Return what the model of `bundle` says about `volume`; live studies and validation both come through here.

        With `member` that one network of the cross-validation answers alone: the one that did not see the patient.

        Raises:
            InvalidBundle: the weights do not load.
            ProviderUnavailable: the device that the policy asks for is not there.
        """
        quality = assess(volume, bundle.spec)
        if quality.refusal:
            return VolumeAnswer(quality, findings=(), provider="", inference_seconds=0.0)
        runtime = self._runtime(bundle)
        started = self._seconds()
        prepared = prepare(volume, bundle.spec)
        outputs = runtime.run(prepared.tensor)
        if member is not None:
            outputs = answer_of_member(outputs, member)
        novelty = None if bundle.spec.novelty_limit is None else float(np.median(outputs[NOVELTY]))
        seen = mean_embedding(outputs[EMBEDDING])
        if strange := unlike_training(outputs, bundle.spec):
            refused = QualityReport(quality.notes, strange)
            return VolumeAnswer(refused, (), runtime.provider, self._seconds() - started, novelty, seen)
        findings = findings_from(outputs, prepared, volume, bundle.spec, bundle.identity)
        return VolumeAnswer(quality, findings, runtime.provider, self._seconds() - started, novelty, seen)

    def _volumes(self, bundle: Bundle, series: Series) -> Iterator[Volume]:
        """Read the series as one volume, or, for a model of stills, each of its files as one."""
        rule = rule_for(bundle.spec.accepts)
        if not bundle.spec.accepts.stills:
            yield read_volume(series, rule, self._decoder)
            return
        for file in series.files:
            yield read_volume([Path(file.path)], rule, self._decoder)

    def _in_service(self, model: ModelIdentity) -> Bundle:
        bundle = self._bundles.get(model)
        if bundle is None:
            names = ", ".join(f"{one.name} {one.version} ({one.digest[:12]})" for one in self._bundles) or "none"
            raise InvalidBundle(
                f"{model.name} {model.version} ({model.digest[:12]}): not in service, which has {names}"
            )
        return bundle

    def _runtime(self, bundle: Bundle) -> Runtime:
        with self._loading:
            if bundle.identity not in self._runtimes:
                self._runtimes[bundle.identity] = self._opened(bundle)
            return self._runtimes[bundle.identity]

    def _opened(self, bundle: Bundle) -> Runtime:
        # Results carry the digest, so the weights that run must be the ones that were digested.
        require_same(bundle.identity.name, file_digests(bundle.folder), bundle.files)
        return open_onnx(
            bundle.onnx_path, tensor_contract(bundle.spec, self._with_members), self._policy, self._threads
        )


def joined_answers(answers: Sequence[VolumeAnswer]) -> VolumeAnswer:
    """Return one answer for the images of a series; refused only when every one of them is."""
    given = [answer for answer in answers if answer.findings]
    notes = tuple(dict.fromkeys(note for answer in answers for note in answer.quality.notes))
    seconds = sum(answer.inference_seconds for answer in answers)
    distances = [answer.novelty for answer in answers if answer.novelty is not None]
    novelty = float(np.median(distances)) if distances else None
    seen = [answer.embedding for answer in answers if answer.embedding]
    embedding = mean_embedding(np.array(seen)) if seen else ()
    if not given:
        refused = QualityReport(notes, answers[0].quality.refusal)
        return VolumeAnswer(refused, (), answers[0].provider, seconds, novelty, embedding)
    refusals = dict.fromkeys(answer.quality.refusal for answer in answers if answer.quality.refusal)
    quality = QualityReport((*notes, *(f"left out: {refusal}" for refusal in refusals)), None)
    findings = (joined([answer.findings[0] for answer in given]),)
    return VolumeAnswer(quality, findings, given[0].provider, seconds, novelty, embedding)


def mean_embedding(embeddings: NDArray[np.floating]) -> tuple[float, ...]:
    """Return the mean over images of embeddings (n, d), to four digits: enough to watch, and small to store."""
    means = np.asarray(embeddings, dtype=np.float64).reshape(len(embeddings), -1).mean(axis=0)
    return tuple(float(f"{value:.4g}") for value in means)


def unlike_training(outputs: Outputs, spec: TriageSpec) -> str | None:
    """Return why the images are not what the model was trained on, None where they are or the model cannot tell.

    The median over the images decides, so that a few odd slices at the ends of a volume refuse nothing.
    """
    if spec.novelty_limit is None or (found := float(np.median(outputs[NOVELTY]))) <= spec.novelty_limit:
        return None
    return f"unlike the images the model was trained on (novelty {found:.1f}, at most {spec.novelty_limit:.1f})"


def answer_of_member(outputs: Outputs, member: int) -> Outputs:
    """Return `outputs` with the logits and the map of one network of the cross-validation, counted from 0."""
    logits, maps = (outputs[name] for name in MEMBER_OUTPUTS)
    return {**outputs, "logits": logits[:, member : member + 1], "map": maps[:, member]}


def tensor_contract(spec: TriageSpec, with_members: bool = False) -> TensorContract:
    """Return what the network of a bundle takes and gives."""
    preparation = spec.preparation
    names = OUTPUT_NAMES if spec.novelty_limit is None else (*OUTPUT_NAMES, NOVELTY)
    if with_members and spec.members:
        names = (*names, *MEMBER_OUTPUTS)
    return TensorContract(INPUT_NAME, len(preparation.channels), preparation.rows, preparation.columns, names)
