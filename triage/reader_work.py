"""Step 10: readers claim, read, answer the AI and move studies; each act is kept, audited, and can be taken back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from triage.audit import PLATFORM, Actor, AuditAction, AuditEvent
from triage.errors import ActNotPossible, NotPermitted
from triage.findings import Finding
from triage.identifiers import StudyInstanceUid
from triage.ports import Clock, Records, Transactions
from triage.priority import Priority, TargetTimes
from triage.reading import (
    LEASE,
    LONGEST_OVERRIDE,
    Act,
    ActKind,
    Answer,
    Exposure,
    Work,
    due_at,
    is_open,
    require_band,
    require_free,
    require_whole,
    standing,
    verdict_on,
    work_after,
)
from triage.study import Study

ACTIONS = {
    ActKind.CLAIM: AuditAction.CLAIMED,
    ActKind.RELEASE: AuditAction.RELEASED,
    ActKind.READ: AuditAction.READ,
    ActKind.REOPEN: AuditAction.REOPENED,
    ActKind.VERDICT: AuditAction.VERDICT_GIVEN,
    ActKind.NOTE: AuditAction.NOTE_WRITTEN,
    ActKind.REPRIORITISE: AuditAction.REPRIORITISED,
    ActKind.RESTORE_ORDER: AuditAction.ORDER_RESTORED,
    ActKind.UNDO: AuditAction.UNDONE,
}
"""What the audit calls each act."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What one transaction of a reader's work sees of a study."""

    records: Records
    study: Study
    acts: tuple[Act, ...]
    work: Work
    now: datetime

    def act(self, reader: Actor, kind: ActKind) -> Act:
        """Return a new act on the study's present revision, without content."""
        return Act(self.study.study_instance_uid, self.study.revision, reader.name, kind, self.now)


@dataclass(frozen=True, slots=True)
class ReaderWork:
    """The acts of readers; each method is one transaction and returns the act that it recorded."""

    transactions: Transactions
    clock: Clock
    targets: TargetTimes

    def claim(self, uid: StudyInstanceUid, reader: Actor) -> Act:
        """Give the study to `reader` for a lease; again, it renews the lease.

        Raises:
            TakenByAnother: another reader has it and `reader` does not lead.
        """
        with self.transactions.begin() as records:
            desk = self._desk(records, uid)
            require_free(desk.work, reader)
            return self._done(desk, reader, replace(desk.act(reader, ActKind.CLAIM), until=desk.now + LEASE))

    def release(self, uid: StudyInstanceUid, reader: Actor) -> Act:
        """Leave the study in nobody's hand; raises ActNotPossible, TakenByAnother."""
        with self.transactions.begin() as records:
            desk = self._desk(records, uid)
            if desk.work.claim is None:
                raise ActNotPossible("nobody has claimed the study")
            require_free(desk.work, reader)
            return self._done(desk, reader, desk.act(reader, ActKind.RELEASE))

    def mark_read(self, uid: StudyInstanceUid, reader: Actor) -> Act:
        """Close the row of the study's present revision; raises ActNotPossible, TakenByAnother."""
        with self.transactions.begin() as records:
            desk = self._desk(records, uid)
            if not is_open(desk.study, desk.work.closing):
                raise ActNotPossible("the study has been read")
            require_whole(desk.study)
            require_free(desk.work, reader)
            return self._done(desk, reader, desk.act(reader, ActKind.READ))

    def reopen(self, uid: StudyInstanceUid, reader: Actor) -> Act:
        """Put a study that was read back on the list; raises ActNotPossible."""
        with self.transactions.begin() as records:
            desk = self._desk(records, uid)
            if is_open(desk.study, desk.work.closing):
                raise ActNotPossible("the study has not been read")
            return self._done(desk, reader, desk.act(reader, ActKind.REOPEN))

    def answer(
        self, uid: StudyInstanceUid, reader: Actor, answer: Answer, exposure: Exposure, note: str, about: str = ""
    ) -> Act:
        """Keep what the reader says to the AI about the finding `about` ("model code"), or about the leading one.

        Raises:
            ActNotPossible: nothing there can be answered so.
        """
        with self.transactions.begin() as records:
            desk = self._desk(records, uid)
            findings = _newest_findings(records, desk.study)
            wanted = next((one for one in findings if f"{one.model.name} {one.code.value}" == about), None)
            if about and wanted is None:
                raise ActNotPossible("the AI has no such finding on this study")
            verdict = verdict_on(findings, answer, exposure, wanted)
            return self._done(desk, reader, replace(desk.act(reader, ActKind.VERDICT), verdict=verdict, note=note))

    def write_note(self, uid: StudyInstanceUid, reader: Actor, note: str) -> Act:
        """Keep a free note; raises ActNotPossible where it is empty."""
        if not note.strip():
            raise ActNotPossible("the note is empty")
        with self.transactions.begin() as records:
            desk = self._desk(records, uid)
            return self._done(desk, reader, replace(desk.act(reader, ActKind.NOTE), note=note.strip()))

    def reprioritise(self, uid: StudyInstanceUid, reader: Actor, band: Priority, reason: str, lasts: timedelta) -> Act:
        """Give the study `band` for a time, above what the platform worked out.

        Raises:
            ActNotPossible: no reason, or a time that is not within a day.
            NotPermitted: the band is less urgent than the study's own, and the reader does not lead.
        """
        if not reason.strip():
            raise ActNotPossible("a reason is needed")
        if not timedelta(0) < lasts <= LONGEST_OVERRIDE:
            raise ActNotPossible("a priority can be changed for at most 24 hours")
        with self.transactions.begin() as records:
            desk = self._desk(records, uid)
            require_band(desk.study, band, reader)
            blank, base = desk.act(reader, ActKind.REPRIORITISE), desk.study.priority
            act = replace(blank, band=band, base=base, until=desk.now + lasts, note=reason.strip())
            return self._done(desk, reader, act)

    def restore_order(self, uid: StudyInstanceUid, reader: Actor) -> Act:
        """Give the study its own band again; raises ActNotPossible where it has it."""
        with self.transactions.begin() as records:
            desk = self._desk(records, uid)
            override = desk.work.override
            if override is None:
                raise ActNotPossible("the study has its own priority")
            if override.author != reader.name:
                require_band(replace(desk.study, priority=override.band), desk.study.priority, reader)
            return self._done(desk, reader, desk.act(reader, ActKind.RESTORE_ORDER))

    def undo(self, uid: StudyInstanceUid, reader: Actor, number: int | None = None) -> Act:
        """Take back act `number` of this reader, or the newest one that stands.

        Raises:
            ActNotPossible: there is no such act, or it was taken back before.
            NotPermitted: it is another reader's, and this one does not lead.
        """
        with self.transactions.begin() as records:
            desk = self._desk(records, uid)
            act = _to_undo(desk.acts, reader, number)
            if act.kind in (ActKind.CLAIM, ActKind.RELEASE, ActKind.READ):
                require_free(desk.work, reader)
            return self._done(desk, reader, replace(desk.act(reader, ActKind.UNDO), undoes=act.number))

    def end_what_expired(self) -> int:
        """Return how many studies lost a lease or an override now; the list shows them so from this moment."""
        with self.transactions.begin() as records:
            due = records.reading.expired(self.clock.now())
        for uid in due:
            with self.transactions.begin() as records:
                desk = self._desk(records, uid)
                self._keep(desk, desk.work)
                event = AuditEvent(desk.now, PLATFORM, AuditAction.EXPIRED, study_instance_uid=uid)
                records.audit.append(event)
        return len(due)

    def _desk(self, records: Records, uid: StudyInstanceUid) -> Desk:
        study, now = records.studies.get(uid), self.clock.now()
        acts = records.reading.acts_of(uid)
        return Desk(records, study, acts, work_after(acts, now), now)

    def _done(self, desk: Desk, reader: Actor, new: Act) -> Act:
        """Record the act, what follows from it, and the event in the audit, all in the desk's transaction."""
        act = desk.records.reading.add(new)
        self._keep(desk, work_after((*desk.acts, act), desk.now))
        event = AuditEvent(desk.now, reader, ACTIONS[act.kind], True, act.study_instance_uid, _told(act))
        desk.records.audit.append(event)
        return act

    def _keep(self, desk: Desk, work: Work) -> None:
        desk.records.reading.keep(desk.study.study_instance_uid, work, due_at(desk.study, work.override, self.targets))


def _newest_findings(records: Records, study: Study) -> Sequence[Finding]:
    recorded = records.results.analyses_of(study.study_instance_uid)
    newest = max((one.revision for one in recorded), default=0)
    return [finding for one in recorded if one.revision == newest for finding in one.analysis.findings]


def _to_undo(acts: Sequence[Act], reader: Actor, number: int | None) -> Act:
    stands = standing(acts)
    if number is None:
        own = [act for act in stands if act.reader == reader.name]
        if not own:
            raise ActNotPossible("there is nothing of yours to undo")
        return own[-1]
    found = next((act for act in stands if act.number == number), None)
    if found is None:
        raise ActNotPossible("there is no such act, or it was undone before")
    if found.reader != reader.name and not reader.leads:
        raise NotPermitted(f"role {reader.role} may not undo what {found.reader} did")
    return found


def _told(act: Act) -> dict[str, str]:
    """Return what the audit says of an act; free text may name a patient and stays with the act."""
    told = {"act": str(act.number), "revision": str(act.revision)}
    if act.undoes is not None:
        told["undoes"] = str(act.undoes)
    if act.band is not None and act.base is not None:
        told |= {"from": act.base.name, "to": act.band.name}
    if act.until is not None:
        told["until"] = act.until.isoformat()
    if act.verdict is not None:
        told |= {"answer": act.verdict.answer.value, "exposure": act.verdict.exposure.value}
        if act.verdict.model is not None and act.verdict.code is not None:
            model = act.verdict.model
            told |= {"model": f"{model.name} {model.version}", "finding": act.verdict.code.value}
    return told
