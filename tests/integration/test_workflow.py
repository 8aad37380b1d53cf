"""The main job on a real database: triage, report, deliver, and the late slice."""

from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import text

from tests.builders import CT_IMAGE_STORAGE, HEAD_CT, MODEL, STUDY, a_file, an_analysis, an_instance
from triage.errors import (
    DestinationRefused,
    DestinationUnavailable,
    InvalidGeometry,
    StatusNotAllowed,
    UnsupportedPixels,
)
from triage.findings import AiState, Analysis
from triage.identifiers import SopInstanceUid
from triage.ports import ModelOffer, ResultObject
from triage.priority import Priority, TargetTimes
from triage.study import StudyStatus
from triage.workflow import Delivery, Triage, retry_triage


@dataclass
class ScriptedAnalyser:
    """Says what the test wrote down; counts how often it was asked."""

    answers: list[Analysis | Exception]
    models: tuple = (MODEL,)
    asked: int = 0

    def offers(self):
        return tuple(ModelOffer(model, HEAD_CT, "bleeding") for model in self.models)

    def analyse(self, model, series):
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class ScriptedWriter:
    """Makes one object of each kind per analysis, named by what was analysed."""

    superseded: list[object] = field(default_factory=list)
    kinds: tuple[str, ...] = ("sr",)

    def write(self, study, series, recorded, supersedes):
        self.superseded.append(supersedes)
        uid = f"2.25.{int(recorded.input_digest[:8], 16)}"
        return [
            ResultObject(
                SopInstanceUid(f"{uid}{place}"), CT_IMAGE_STORAGE, STUDY, study.revision, kind, a_file().sha256, "/x"
            )
            for place, kind in enumerate(self.kinds)
        ]


@dataclass
class ScriptedSender:
    """Takes what it is sent, or raises what the test wrote down."""

    failures: list[Exception] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    wanting: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def destinations_for(self, kind):
        return self.wanting.get(kind, ("PACS",))

    def send(self, result, destination):
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(result.sop_instance_uid)


def jobs(engine) -> list[tuple[str, dict]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT task_name, args FROM procrastinate_jobs ORDER BY id"))
        return [(row.task_name, row.args) for row in rows]


def the_study(transactions):
    with transactions.begin() as records:
        return records.studies.get(STUDY)


def receive(receiving, *numbers, **changes):
    for number in numbers:
        receiving.register_instance(an_instance(number, **changes))


@pytest.fixture
def triage(transactions, clock):
    def with_answers(*answers):
        return Triage(transactions, clock, ScriptedAnalyser(list(answers)), TargetTimes())

    return with_answers


@pytest.fixture
def delivery(transactions, clock):
    return Delivery(transactions, clock, ScriptedWriter(), ScriptedSender())


@pytest.fixture
def complete_study(receiving, clock):
    receive(receiving, *range(6))
    clock.forward(seconds=1)
    receiving.close_quiet_studies()


def test_a_flagged_study_becomes_critical_and_its_reports_are_deferred(complete_study, triage, transactions, engine):
    triage(an_analysis(probability=0.9)).triage_study(STUDY, 1)

    study = the_study(transactions)
    assert (study.status, study.priority, study.ai_state) == (
        StudyStatus.TRIAGED, Priority.CRITICAL, AiState.ANALYSED_FLAGGED)  # fmt: skip
    assert (study.deadline - study.received_at).total_seconds() == 15 * 60
    assert study.reason == "suspected intracranial hemorrhage, ct-head-haemorrhage 0.1.0"
    assert jobs(engine)[-1] == ("write_reports", {"study_instance_uid": STUDY, "revision": 1})


def test_a_study_without_a_flag_keeps_the_priority_of_its_order(receiving, clock, triage, transactions):
    receive(receiving, *range(6), order_priority="STAT")
    clock.forward(seconds=1)
    receiving.close_quiet_studies()

    triage(an_analysis(probability=0.1)).triage_study(STUDY, 1)

    study = the_study(transactions)
    assert (study.priority, study.ai_state) == (Priority.CRITICAL, AiState.ANALYSED_NO_FLAG)
    assert study.reason == "no AI flag (ct-head-haemorrhage 0.1.0); order STAT"


@pytest.mark.parametrize(
    ("answer", "state", "status"),
    [
        (an_analysis(out_of_scope="a water phantom"), AiState.OUT_OF_SCOPE, StudyStatus.TRIAGED),
        (InvalidGeometry("slices tilted"), AiState.OUT_OF_SCOPE, StudyStatus.TRIAGED),
        (UnsupportedPixels("instance 1: not decodable"), AiState.FAILED, StudyStatus.NEEDS_ATTENTION),
    ],
)
def test_a_study_that_was_not_analysed_stays_on_the_list_and_says_why(
    complete_study, triage, transactions, answer, state, status
):
    triage(answer).triage_study(STUDY, 1)

    study = the_study(transactions)
    assert (study.ai_state, study.status, study.priority) == (state, status, Priority.ROUTINE)
    assert study.reason.startswith("not analysed" if state is AiState.OUT_OF_SCOPE else "analysis failed")


def test_a_model_of_another_modality_is_not_named_where_one_of_this_modality_says_why(
    complete_study, triage, transactions
):
    both = triage(an_analysis(out_of_scope="a water phantom"))
    mr = ModelOffer(replace(MODEL, name="mr-brain-flair"), replace(HEAD_CT, modalities=("MR",)), "abnormal signal")
    ours = both.analyser.offers()
    both.analyser.offers = lambda: (*ours, mr)

    both.triage_study(STUDY, 1)

    assert the_study(transactions).reason == "not analysed: ct-head-haemorrhage: a water phantom"


def test_a_model_for_drawn_images_is_not_named_where_a_real_study_has_a_reason(complete_study, triage, transactions):
    both = triage(an_analysis(out_of_scope="a water phantom"))
    drawn = ModelOffer(replace(MODEL, name="ct-drawn"), replace(HEAD_CT, required_makers=("Acuity",)), "a drawn bleed")
    ours = both.analyser.offers()
    both.analyser.offers = lambda: (*ours, drawn)

    both.triage_study(STUDY, 1)

    assert the_study(transactions).reason == "not analysed: ct-head-haemorrhage: a water phantom"


def test_the_flag_of_one_model_survives_the_failure_of_another(complete_study, triage, transactions):
    both = triage(UnsupportedPixels("instance 1: not decodable"), an_analysis(0.9))
    both.analyser.models = (MODEL, replace(MODEL, name="ct-head-fracture"))

    both.triage_study(STUDY, 1)

    study = the_study(transactions)
    assert (study.ai_state, study.priority) == (AiState.ANALYSED_FLAGGED, Priority.CRITICAL)
    assert "not decodable" in study.reason


def test_no_flag_is_not_said_while_a_model_failed(complete_study, triage, transactions):
    both = triage(an_analysis(0.1), UnsupportedPixels("instance 1: not decodable"))
    both.analyser.models = (MODEL, replace(MODEL, name="ct-head-fracture"))

    both.triage_study(STUDY, 1)

    assert the_study(transactions).ai_state is AiState.FAILED


def test_a_job_that_runs_twice_changes_nothing(complete_study, triage, transactions):
    first, second = triage(an_analysis()), triage()
    first.triage_study(STUDY, 1)
    before = the_study(transactions)

    second.triage_study(STUDY, 1)

    assert the_study(transactions) == before
    assert second.analyser.asked == 0


def test_a_late_slice_reopens_a_delivered_study_and_its_result_supersedes(
    complete_study, receiving, clock, triage, delivery, transactions, engine
):
    triage(an_analysis(0.1)).triage_study(STUDY, 1)
    delivery.write_reports(STUDY, 1)
    delivery.deliver_result(SopInstanceUid(jobs(engine)[-1][1]["sop_instance_uid"]), "PACS")
    assert the_study(transactions).status is StudyStatus.DELIVERED

    receive(receiving, 6)
    reopened = the_study(transactions)
    clock.forward(seconds=1)
    receiving.close_quiet_studies()
    triage(an_analysis(0.9)).triage_study(STUDY, 2)
    delivery.write_reports(STUDY, 2)

    assert (reopened.status, reopened.revision) == (StudyStatus.RECEIVING, 2)
    assert the_study(transactions).ai_state is AiState.ANALYSED_FLAGGED
    first, second = delivery.writer.superseded
    assert first is None
    assert second.analysis.findings[0].probability == 0.1


def test_the_same_images_are_not_analysed_again_in_a_new_revision(
    complete_study, receiving, clock, triage, delivery, transactions, engine
):
    triage(an_analysis(0.9)).triage_study(STUDY, 1)
    delivery.write_reports(STUDY, 1)
    delivery.deliver_result(SopInstanceUid(jobs(engine)[-1][1]["sop_instance_uid"]), "PACS")
    scout = an_instance(90)
    series = replace(scout.header.series, series_instance_uid="2.25.2001", series_description="Scout")
    receiving.register_instance(replace(scout, header=replace(scout.header, series=series)))
    clock.forward(seconds=6)
    receiving.close_quiet_studies()
    again = triage()

    again.triage_study(STUDY, 2)
    delivery.write_reports(STUDY, 2)

    assert again.analyser.asked == 0
    assert len(delivery.sender.sent) == 1
    assert the_study(transactions).status is StudyStatus.DELIVERED


def test_a_destination_that_is_away_is_tried_again_and_gets_one_object(complete_study, triage, delivery, engine):
    triage(an_analysis()).triage_study(STUDY, 1)
    delivery.write_reports(STUDY, 1)
    uid = SopInstanceUid(jobs(engine)[-1][1]["sop_instance_uid"])
    delivery.sender.failures.append(DestinationUnavailable("PACS: no association"))

    with pytest.raises(DestinationUnavailable):
        delivery.deliver_result(uid, "PACS")
    delivery.deliver_result(uid, "PACS")
    delivery.write_reports(STUDY, 1)

    assert delivery.sender.sent == [uid]
    assert [task for task, _ in jobs(engine)].count("deliver_result") == 1


def deliveries(engine) -> list[tuple[str, str]]:
    return [(args["sop_instance_uid"][-1], args["destination"]) for task, args in jobs(engine) if "destination" in args]


def test_each_kind_goes_where_it_is_wanted_once_and_the_study_waits_for_both(
    complete_study, triage, delivery, transactions, engine
):
    delivery.writer.kinds = ("sr", "seg")
    delivery.sender.wanting = {"sr": ("PACS", "ARCHIVE"), "seg": ("PACS",)}
    triage(an_analysis()).triage_study(STUDY, 1)

    delivery.write_reports(STUDY, 1)
    delivery.write_reports(STUDY, 1)

    assert deliveries(engine) == [("0", "PACS"), ("0", "ARCHIVE"), ("1", "PACS")]
    planned = [args for task, args in jobs(engine) if task == "deliver_result"]
    for args in planned[:-1]:
        delivery.deliver_result(SopInstanceUid(args["sop_instance_uid"]), args["destination"])
    assert the_study(transactions).status is StudyStatus.TRIAGED
    delivery.deliver_result(SopInstanceUid(planned[-1]["sop_instance_uid"]), "PACS")
    assert the_study(transactions).status is StudyStatus.DELIVERED


def test_report_and_segmentation_become_known_together_or_not_at_all(
    complete_study, triage, delivery, engine, monkeypatch
):
    delivery.writer.kinds = ("sr", "seg")
    triage(an_analysis()).triage_study(STUDY, 1)
    monkeypatch.setattr("storage.work_queue.JobRows.defer_delivery", lambda *args: args[1][-1] == "1" and 1 / 0)

    with pytest.raises(ZeroDivisionError):
        delivery.write_reports(STUDY, 1)

    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM result_objects")).scalar_one() == 0
    monkeypatch.undo()
    delivery.write_reports(STUDY, 1)
    assert deliveries(engine) == [("0", "PACS"), ("1", "PACS")]


def test_a_refusal_for_good_is_noted_and_the_study_does_not_count_as_delivered(
    complete_study, triage, delivery, transactions, engine
):
    triage(an_analysis()).triage_study(STUDY, 1)
    delivery.write_reports(STUDY, 1)
    delivery.sender.failures.append(DestinationRefused("PACS: 0122H"))

    delivery.deliver_result(SopInstanceUid(jobs(engine)[-1][1]["sop_instance_uid"]), "PACS")

    assert the_study(transactions).status is StudyStatus.TRIAGED
    with engine.connect() as connection:
        row = connection.execute(text("SELECT state, last_error FROM deliveries")).one()
    assert tuple(row) == ("refused", "PACS: 0122H")


def test_a_study_that_needs_attention_can_be_retried(complete_study, triage, transactions, clock):
    triage(UnsupportedPixels("broken")).triage_study(STUDY, 1)

    retry_triage(transactions, clock, STUDY)
    triage(an_analysis()).triage_study(STUDY, 1)

    assert the_study(transactions).status is StudyStatus.TRIAGED
    with pytest.raises(StatusNotAllowed, match="only NEEDS_ATTENTION is retried"):
        retry_triage(transactions, clock, STUDY)
