"""The figures in Prometheus' text format."""

from dataclasses import dataclass

from worklist.figures import exposition


@dataclass(frozen=True, slots=True)
class Stage:
    """How long a stage took."""

    stage: str
    studies: int
    median_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One reading."""

    studies: dict[tuple[str, str, str], int]
    oldest_waiting_s: dict[str, float]
    jobs: dict[tuple[str, str], int]
    stages: tuple[Stage, ...]


class KnownWorkload:
    """A workload whose figures are known."""

    def read(self) -> Figures:
        return Figures(
            studies={("TRIAGED", "CRITICAL", "analysed_flagged"): 3},
            oldest_waiting_s={"CRITICAL": 0.0, "URGENT": 61.5},
            jobs={("triage", "todo"): 2},
            stages=(Stage("triage", 10, 1.5, 4.0),),
        )

    def ping(self) -> None:
        return


def test_the_figures_are_told_in_the_text_format():
    lines = exposition(KnownWorkload())[0].decode().splitlines()

    assert [line for line in lines if not line.startswith("#")] == [
        'acuity_studies{ai_state="analysed_flagged",band="CRITICAL",status="TRIAGED"} 3.0',
        'acuity_oldest_waiting_seconds{band="CRITICAL"} 0.0',
        'acuity_oldest_waiting_seconds{band="URGENT"} 61.5',
        'acuity_jobs{queue="triage",state="todo"} 2.0',
        'acuity_stage_seconds{quantile="0.5",stage="triage"} 1.5',
        'acuity_stage_seconds{quantile="0.95",stage="triage"} 4.0',
        'acuity_stage_studies{stage="triage"} 10.0',
    ]
