"""The figures for Prometheus; counted from the rows at each scrape, so that every web process says the same."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from worklist.ports import Workload, WorkloadFigures


def exposition(workload: Workload) -> tuple[bytes, str]:
    """Return the figures in Prometheus' text format, and its content type; raises StoreUnavailable."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Reading(workload.read()))
    return generate_latest(registry), CONTENT_TYPE_LATEST


@dataclass(frozen=True, slots=True, eq=False)
class _Reading(Collector):
    figures: WorkloadFigures

    def collect(self) -> Iterator[Metric]:
        yield self._studies()
        yield self._waiting()
        yield self._jobs()
        yield from self._stages()

    def _studies(self) -> Metric:
        labels = ["status", "band", "ai_state"]
        family = GaugeMetricFamily("acuity_studies", "Studies by status, band and AI state.", labels=labels)
        for key, count in sorted(self.figures.studies.items()):
            family.add_metric(list(key), count)
        return family

    def _waiting(self) -> Metric:
        text = "Age of the oldest study that waits for its analysis, in seconds; 0 when none does."
        family = GaugeMetricFamily("acuity_oldest_waiting_seconds", text, labels=["band"])
        for band, seconds in sorted(self.figures.oldest_waiting_s.items()):
            family.add_metric([band], seconds)
        return family

    def _jobs(self) -> Metric:
        family = GaugeMetricFamily("acuity_jobs", "Background jobs by queue and state.", labels=["queue", "state"])
        for key, count in sorted(self.figures.jobs.items()):
            family.add_metric(list(key), count)
        return family

    def _stages(self) -> Iterator[Metric]:
        text = "Duration of a stage over the last hour, in seconds."
        durations = GaugeMetricFamily("acuity_stage_seconds", text, labels=["stage", "quantile"])
        counts = GaugeMetricFamily("acuity_stage_studies", "Studies in that hour.", labels=["stage"])
        for stage in self.figures.stages:
            durations.add_metric([stage.stage, "0.5"], stage.median_s)
            durations.add_metric([stage.stage, "0.95"], stage.p95_s)
            counts.add_metric([stage.stage], stage.studies)
        yield durations
        yield counts
