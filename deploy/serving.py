"""The models in service: at each study, those that the registry says are active at that moment."""

from collections.abc import Sequence

import structlog

from deploy.bundles import load_registered, offer_of
from deploy.settings import Settings
from inference.analyser import BundleAnalyser
from inference.runtime import ProviderPolicy
from models.lifecycle import ModelState, RegisteredModel
from models.registry import full_name
from storage.model_registry import ModelRows
from triage.errors import InvalidBundle
from triage.findings import Analysis, ModelIdentity
from triage.ports import ModelOffer
from triage.study import Series

log = structlog.get_logger(__name__)


class ActiveModels:
    """Asks the registry before each study, so that a change needs no restart; satisfies `triage.ports.Analyser`."""

    def __init__(
        self, settings: Settings, rows: ModelRows, analyser: BundleAnalyser, state: ModelState = ModelState.ACTIVE
    ) -> None:
        """Take the registry, an analyser without any bundle yet, and the state of the models that answer here."""
        self._settings = settings
        self._rows = rows
        self._analyser = analyser
        self._state = state
        self._active: dict[ModelIdentity, RegisteredModel] = {}

    def offers(self) -> Sequence[ModelOffer]:
        """Return the models in this state now; one that no longer is lets go of its memory.

        Raises:
            StoreUnavailable: the database did not answer; the study is tried again later.
        """
        self._active = {one.record.identity: one for one in self._rows.all() if one.state is self._state}
        self._analyser.keep_only(self._active)
        return tuple(offer_of(one) for one in self._active.values())

    def analyse(self, model: ModelIdentity, series: Series) -> Analysis:
        """Return what `model` says about `series`; as `BundleAnalyser.analyse`.

        Raises:
            InvalidBundle: a file of the model is not the one that was registered. This study fails, with the file in
                its reason, and the other models go on.
        """
        self._ensure_in_service(model)
        return self._analyser.analyse(model, series)

    def warm_up(self) -> None:
        """Load every active model; one that does not verify or load is logged, and the others serve.

        Raises:
            ProviderUnavailable: the device that the settings ask for is not there.
        """
        for model, problem in self.problems().items():
            log.error("model_unusable", model=full_name(model), reason=problem)

    def problems(self) -> dict[ModelIdentity, str]:
        """Load every active model and run it once, and return what is wrong with those that cannot serve."""
        found = {}
        for offer in self.offers():
            try:
                self._ensure_in_service(offer.identity)
                self._analyser.warm_up()
            except InvalidBundle as error:
                found[offer.identity] = str(error)
                self._analyser.keep_only([one for one in self._active if one not in found])
        return found

    def _ensure_in_service(self, model: ModelIdentity) -> None:
        if not self._analyser.serves(model) and model in self._active:
            self._analyser.put_in_service(load_registered(self._active[model], self._settings))


def active_models(settings: Settings, rows: ModelRows) -> ActiveModels:
    """Return the models in service with their runtime, not loaded yet."""
    return ActiveModels(settings, rows, analyser_of(settings))


def shadow_models(settings: Settings, rows: ModelRows) -> ActiveModels:
    """Return the models in the shadow with their runtime, on one thread, not loaded yet."""
    return ActiveModels(settings, rows, analyser_of(settings, threads=1), ModelState.SHADOW)


def analyser_of(settings: Settings, threads: int | None = None) -> BundleAnalyser:
    """Return the runtime that the settings ask for, without a model."""
    inference = settings.file.inference
    policy = ProviderPolicy.REQUIRE_GPU if inference.device == "cuda" else ProviderPolicy.CPU_ONLY
    return BundleAnalyser((), policy, threads or inference.threads)
