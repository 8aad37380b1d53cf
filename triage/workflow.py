"""The main job, in the order it happens: receive, complete, triage, report, deliver."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from triage.completion import CompletionRule, CompletionSignal, announced_completion, has_more_at_source
from triage.errors import (
    DestinationPaused,
    DestinationUnavailable,
    InvalidGeometry,
    PermanentError,
    StatusNotAllowed,
)
from triage.findings import AiState, Analysis, ModelIdentity
from triage.forwarding import plan_deidentified, plan_forwarding
from triage.identifiers import Sha256, SopInstanceUid, StudyInstanceUid
from triage.outcome import Outcome, summary
from triage.ports import (
    Analyser,
    Arrivals,
    Clock,
    ModelOffer,
    RecordedAnalysis,
    Records,
    ReportWriter,
    ResultObject,
    ResultSender,
    Router,
    Transactions,
)
from triage.priority import Priority, TargetTimes, deadline, from_order, most_urgent
from triage.reading_order import raised_by_rules, reason_for
from triage.rules import Routing
from triage.selection import Selection, has_whole_series, is_of_kind, select_series
from triage.study import ReceivedInstance, Registration, Series, Study, StudyStatus


@dataclass(frozen=True, slots=True)
class Receiving:
    """Steps 1 and 2: instances arrive, studies become complete."""

    transactions: Transactions
    clock: Clock
    offers: tuple[ModelOffer, ...]
    targets: TargetTimes
    rule: CompletionRule
    arrivals: Arrivals | None = None
    router: Router | None = None

    def register_instance(self, instance: ReceivedInstance) -> Registration:
        """Make a stored instance part of its study; as `register_instances` for one."""
        return self.register_instances((instance,))[0]

    def register_instances(self, instances: Sequence[ReceivedInstance]) -> Sequence[Registration]:
        """Make stored instances parts of their studies; when this returns, the rows are committed.

        The same bytes again change nothing. Other bytes under a known UID are kept as a conflict. A new instance of
        a study that was already complete opens the study's next revision.
        """
        registrations: dict[int, Registration] = {}
        by_study: dict[StudyInstanceUid, list[int]] = {}
        continued = set(self.arrivals.continue_studies(instances, self.clock.now())) if self.arrivals else set()
        for index, instance in enumerate(instances):
            identity = (instance.header.image.sop_instance_uid, instance.file.sha256)
            if identity in continued:
                # Once only: the same bytes twice in one call are one new instance and one duplicate.
                continued.remove(identity)
                registrations[index] = Registration.NEW
            else:
                by_study.setdefault(instance.header.study.study_instance_uid, []).append(index)
        if by_study:
            self._register_each_study(by_study, instances, registrations)
        return [registrations[index] for index in range(len(instances))]

    def _register_each_study(
        self,
        by_study: Mapping[StudyInstanceUid, Sequence[int]],
        instances: Sequence[ReceivedInstance],
        registrations: dict[int, Registration],
    ) -> None:
        with self.transactions.begin() as records:
            # In one order everywhere: two processes that lock the same studies do not wait for each other.
            for uid in sorted(by_study):
                indices = by_study[uid]
                found = self._register_in_study(uid, [instances[index] for index in indices], records)
                registrations.update(zip(indices, found, strict=True))

    def _register_in_study(
        self, uid: StudyInstanceUid, instances: Sequence[ReceivedInstance], records: Records
    ) -> Sequence[Registration]:
        before = records.studies.find(uid) or records.studies.add(self._arrived(instances[0]))
        registrations = records.studies.add_instances(instances, self.clock.now())
        study = before
        for instance, registration in zip(instances, registrations, strict=True):
            if registration is Registration.NEW:
                study = self._continued(study, instance)
        if study == replace(before, last_instance_at=study.last_instance_at):
            records.studies.note_instance(uid, study.last_instance_at)
        else:
            records.studies.save(study)
        return registrations

    def close_quiet_studies(self) -> tuple[StudyInstanceUid, ...]:
        """Return the studies that became complete now, each with its triage job in the same transaction."""
        with self.transactions.begin() as records:
            candidates = records.studies.receiving()
        return tuple(uid for uid in candidates if self._close(uid))

    def _close(self, uid: StudyInstanceUid) -> bool:
        with self.transactions.begin() as records:
            study = records.studies.get(uid)
            signal = self._signal(study, records) if study.status is StudyStatus.RECEIVING else None
            if signal is None:
                return False
            series = records.studies.series_of(uid) if self.router else ()
            sources = records.studies.sources_of(uid)
        # Rules read files; no late instance waits for that, it lets the study go on receiving.
        routing = self.router.route(study, series, sources) if self.router else Routing()
        with self.transactions.begin() as records:
            if records.studies.get(uid) != study:
                return False
            study = raised_by_rules(study, routing, self.targets)
            complete = replace(study.moved_to(StudyStatus.COMPLETE), complete_at=self.clock.now(), completed_by=signal)
            records.studies.save(complete)
            if routing != Routing():
                records.routing.record(uid, study.revision, routing, self.clock.now())
            for destination in routing.send_original:
                plan_forwarding(records, uid, destination, study.priority)
            for destination in routing.send_deidentified:
                plan_deidentified(records, uid, destination, study.priority)
            records.queue.defer_triage(uid, study.revision, study.priority)
        return True

    def _signal(self, study: Study, records: Records) -> CompletionSignal | None:
        """Return the signal by which the study is complete now, None where none says so."""
        uid, quiet = study.study_instance_uid, self.clock.now() - study.last_instance_at
        is_settled = quiet >= self.rule.settle_period and not records.studies.open_associations(uid)
        announcements = records.studies.announcements_of(uid)
        signal = announced_completion(announcements, is_settled)
        if signal is None and quiet >= self.rule.shortest_quiet_period:
            signal = self.rule.quiet_signal(quiet, records.studies.sources_of(uid))
            if signal is not None and has_more_at_source(announcements) and self._is_being_fetched(study, records):
                signal = None
        if signal is not None or not is_settled or records.studies.was_interrupted(uid):
            return signal
        series = records.studies.series_of(uid)
        is_whole = any(has_whole_series(series, offer.acceptance) for offer in self.offers)
        return CompletionSignal.NEEDED_SERIES if is_whole else None

    def _is_being_fetched(self, study: Study, records: Records) -> bool:
        """Return whether the source is being asked for what is missing; it is now, if it was not for this revision."""
        now = self.clock.now()
        planned_at = records.studies.plan_fetch(study.study_instance_uid, study.revision, now)
        return planned_at is not None and now - planned_at < self.rule.fetch_period

    def _arrived(self, instance: ReceivedInstance) -> Study:
        now = self.clock.now()
        header = instance.header.study
        band = from_order(header.order_priority)
        return Study(
            study_instance_uid=header.study_instance_uid,
            header=header,
            status=StudyStatus.RECEIVING,
            revision=1,
            order_priority=band,
            priority=band,
            ai_state=AiState.PENDING,
            reason=reason_for(band, header.order_priority, AiState.PENDING, ""),
            received_at=now,
            last_instance_at=now,
            deadline=deadline(now, band, self.targets),
        )

    def _continued(self, study: Study, instance: ReceivedInstance) -> Study:
        """Return the study with one more instance; an order that turns out more urgent raises it at once."""
        word = instance.header.study.order_priority
        study = study.with_late_instance(self.clock.now())
        if from_order(word) >= study.order_priority:
            return study
        band = most_urgent(study.priority, from_order(word))
        return replace(
            study,
            header=replace(study.header, order_priority=word),
            order_priority=from_order(word),
            priority=band,
            deadline=deadline(study.received_at, band, self.targets),
            reason=reason_for(from_order(word), word, study.ai_state, ""),
        )


@dataclass(frozen=True, slots=True)
class Triage:
    """Steps 3 to 7: choose the series, ask the models, give the study its priority."""

    transactions: Transactions
    clock: Clock
    analyser: Analyser
    targets: TargetTimes

    def triage_study(self, uid: StudyInstanceUid, revision: int) -> None:
        """Leave the study TRIAGED with a band, a reason and a deadline, and its reports deferred.

        A job of an older revision, or one that another worker has finished, changes nothing. An analysis that fails
        for good leaves the study NEEDS_ATTENTION and on the list.
        """
        with self.transactions.begin() as records:
            study = records.studies.get(uid)
            if not _awaits_triage(study, revision):
                return
            series = records.studies.series_of(uid)
            earlier = records.results.analyses_of(uid)
            routing = records.routing.routing_of(uid, revision)
        outcome = self._outcome(series, earlier, routing)
        with self.transactions.begin() as records:
            study = records.studies.get(uid)
            if _awaits_triage(study, revision):
                self._conclude(study, outcome, records)

    def mark_failed(self, uid: StudyInstanceUid, revision: int, reason: str) -> None:
        """Leave the study NEEDS_ATTENTION, still on the list at the priority of its order."""
        with self.transactions.begin() as records:
            study = records.studies.get(uid)
            if _awaits_triage(study, revision):
                routing = records.routing.routing_of(uid, revision)
                failed = self._prioritised(study, AiState.FAILED, reason, Priority.ROUTINE, routing)
                records.studies.save(failed.moved_to(StudyStatus.NEEDS_ATTENTION))

    def _outcome(self, series: Sequence[Series], earlier: Sequence[RecordedAnalysis], routing: Routing) -> Outcome:
        analyses: list[tuple[Series, Analysis]] = []
        refusals: list[str] = []
        elsewhere: list[str] = []
        failures: list[str] = []
        selections: list[tuple[ModelIdentity, Selection]] = []
        for offer in self.analyser.offers():
            kept_away = routing.why_not_asked(offer.identity.name)
            selection = Selection(None, kept_away, ()) if kept_away else select_series(series, offer.acceptance)
            selections.append((offer.identity, selection))
            if selection.chosen is None:
                at_home = any(is_of_kind(one, offer.acceptance) for one in series)
                (refusals if at_home else elsewhere).append(f"{offer.identity.name}: {selection.reason}")
                continue
            try:
                analysis = self._analysed(offer.identity, selection.chosen, earlier)
            except InvalidGeometry as error:
                refusals.append(f"{offer.identity.name}: {error}")
                continue
            except PermanentError as error:
                failures.append(f"{offer.identity.name}: {error}")
                continue
            if analysis.out_of_scope:
                refusals.append(f"{offer.identity.name}: {analysis.out_of_scope}")
            analyses.append((selection.chosen, analysis))
        # That a model of another modality or maker stays away says little where one for this study has its own reason.
        outcome = summary(tuple(analyses), refusals or elsewhere, failures)
        return replace(outcome, selections=tuple(selections))

    def _analysed(self, model: ModelIdentity, series: Series, earlier: Sequence[RecordedAnalysis]) -> Analysis:
        """Return the model's answer; images that it has seen before are not run again."""
        digest = input_digest(series)
        known = (one.analysis for one in earlier if one.input_digest == digest and one.analysis.model == model)
        return next(known, None) or self.analyser.analyse(model, series)

    def _conclude(self, study: Study, outcome: Outcome, records: Records) -> None:
        now = self.clock.now()
        for series, analysis in outcome.analyses:
            recorded = RecordedAnalysis(study.study_instance_uid, study.revision, input_digest(series), now, analysis)
            records.results.record(recorded)
        for model, selection in outcome.selections:
            records.results.record_selection(study.study_instance_uid, study.revision, model, selection)
        routing = records.routing.routing_of(study.study_instance_uid, study.revision)
        study = self._prioritised(study, outcome.state, outcome.reason, outcome.raises_to, routing)
        failed = outcome.state is AiState.FAILED
        status = StudyStatus.NEEDS_ATTENTION if failed else StudyStatus.TRIAGED
        records.studies.save(replace(study.moved_to(status), triaged_at=study.triaged_at if failed else now))
        if outcome.analyses:
            records.queue.defer_reports(study.study_instance_uid, study.revision, study.priority)
        records.queue.defer_shadow(study.study_instance_uid, study.revision)

    def _prioritised(self, study: Study, state: AiState, said: str, raises_to: Priority, routing: Routing) -> Study:
        reason = reason_for(study.order_priority, study.header.order_priority, state, said)
        band = most_urgent(study.order_priority, raises_to)
        return raised_by_rules(replace(study, priority=band, ai_state=state, reason=reason), routing, self.targets)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Step 9: what the models said goes back to PACS and others; `confirming` are those asked whether they keep it."""

    transactions: Transactions
    clock: Clock
    writer: ReportWriter
    sender: ResultSender
    confirming: frozenset[str] = frozenset()

    def write_reports(self, uid: StudyInstanceUid, revision: int) -> None:
        """Write the objects of each analysis of the revision and defer their delivery to each destination.

        All of them become known in one transaction, so that the study never counts as delivered with the first of
        them. A job of an older revision changes nothing: the newer one reports on everything that is known.
        """
        with self.transactions.begin() as records:
            study = records.studies.get(uid)
            series = {one.header.series_instance_uid: one for one in records.studies.series_of(uid)}
            analyses = records.results.analyses_of(uid)
            routing = records.routing.routing_of(uid, revision)
        if study.revision != revision:
            return
        written: list[ResultObject] = []
        for recorded in (one for one in analyses if one.revision == revision and not one.analysis.out_of_scope):
            chosen = series[recorded.analysis.series_instance_uid]
            written.extend(self.writer.write(study, chosen, recorded, _superseded(recorded, analyses)))
        with self.transactions.begin() as records:
            for result in written:
                self._plan_deliveries(result, study, routing, records)
        self._conclude(uid, revision)

    def _plan_deliveries(self, result: ResultObject, study: Study, routing: Routing, records: Records) -> None:
        records.results.add_object(result)
        wanting = self.sender.destinations_for(result.kind)
        for destination in [one for one in wanting if one in (routing.send_results or wanting)]:
            if records.results.add_delivery(result.sop_instance_uid, destination):
                records.queue.defer_delivery(result.sop_instance_uid, destination, study.priority)

    def mark_failed(self, uid: StudyInstanceUid, revision: int, reason: str) -> None:
        """Leave the study NEEDS_ATTENTION, with its AI state as it is and `reason` in the row."""
        with self.transactions.begin() as records:
            study = records.studies.get(uid)
            if study.status is StudyStatus.TRIAGED and study.revision == revision:
                failed = replace(study.moved_to(StudyStatus.NEEDS_ATTENTION), reason=f"{study.reason}; {reason}")
                records.studies.save(failed)

    def deliver_result(self, uid: SopInstanceUid, destination: str) -> None:
        """Send one result object to one destination; the study is DELIVERED when none is outstanding.

        Raises:
            DestinationUnavailable: the queue tries again later.
        """
        with self.transactions.begin() as records:
            if not records.results.awaits_delivery(uid, destination):
                return
            result = records.results.get_object(uid)
        try:
            self.sender.send(result, destination)
        except DestinationPaused:
            raise
        except DestinationUnavailable as error:
            with self.transactions.begin() as records:
                records.results.note_attempt(uid, destination, str(error), self.clock.now())
            raise
        except PermanentError as error:
            with self.transactions.begin() as records:
                records.results.mark_undeliverable(uid, destination, str(error), self.clock.now())
            return
        with self.transactions.begin() as records:
            records.results.mark_delivered(uid, destination, self.clock.now())
            if destination in self.confirming and records.results.add_confirmation(result, destination):
                records.queue.defer_confirmation(uid, destination, Priority.ROUTINE)
        self._conclude(result.study_instance_uid, result.revision)

    def _conclude(self, uid: StudyInstanceUid, revision: int) -> None:
        """Leave the study DELIVERED when every delivery that was planned for its revision is confirmed."""
        with self.transactions.begin() as records:
            study = records.studies.get(uid)
            if study.status is not StudyStatus.TRIAGED or study.revision != revision:
                return
            if records.results.all_delivered(uid, revision):
                records.studies.save(replace(study.moved_to(StudyStatus.DELIVERED), delivered_at=self.clock.now()))


def retry_triage(transactions: Transactions, clock: Clock, uid: StudyInstanceUid) -> None:
    """Lead a study that needs attention back to COMPLETE, with its triage deferred again.

    Raises:
        StatusNotAllowed: the study does not need attention.
    """
    with transactions.begin() as records:
        study = records.studies.get(uid)
        if study.status is not StudyStatus.NEEDS_ATTENTION:
            raise StatusNotAllowed(f"study {uid}: is {study.status}, only NEEDS_ATTENTION is retried")
        complete = replace(study.moved_to(StudyStatus.COMPLETE), complete_at=clock.now(), ai_state=AiState.PENDING)
        records.studies.save(complete)
        records.queue.defer_triage(uid, study.revision, study.priority)


def input_digest(series: Series) -> Sha256:
    """Return the SHA-256 over the instance UIDs and contents of `series`, in UID order."""
    lines = sorted(f"{i.sop_instance_uid} {f.sha256}" for i, f in zip(series.images, series.files, strict=True))
    return Sha256(hashlib.sha256("\n".join(lines).encode()).hexdigest())


def _awaits_triage(study: Study, revision: int) -> bool:
    return study.status is StudyStatus.COMPLETE and study.revision == revision


def _superseded(recorded: RecordedAnalysis, analyses: Sequence[RecordedAnalysis]) -> RecordedAnalysis | None:
    """Return the latest earlier analysis by the same model on other images of the study."""
    name = recorded.analysis.model.name
    earlier = [one for one in analyses if one.analysis.model.name == name and one.recorded_at < recorded.recorded_at]
    return max(earlier, key=lambda one: one.recorded_at, default=None)
