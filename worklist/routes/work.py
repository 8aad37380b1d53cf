"""What readers do with a study; every answer names the act, so that the page can offer to take it back."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request, Security

from triage.identifiers import StudyInstanceUid
from triage.priority import Priority
from triage.reader_work import ReaderWork
from worklist.access import may
from worklist.auth import Identity
from worklist.noting import actor_of
from worklist.ports import WorklistServices
from worklist.roles import Permission
from worklist.routes.listing import Uid
from worklist.work_schemas import ActDone, NoteWanted, PriorityWanted, UndoWanted, VerdictWanted, act_done

router = APIRouter(prefix="/api/v1/studies/{study_instance_uid}", tags=["work"])

StudyUid = Annotated[Uid, Path()]
Reader = Annotated[Identity, Security(may(Permission.READ_STUDIES))]


@router.post("/claim")
def claim(request: Request, study_instance_uid: StudyUid, reader: Reader) -> ActDone:
    """Claim the study for a lease, or renew it; 409 while another reader has it."""
    return act_done(_work(request).claim(StudyInstanceUid(study_instance_uid), actor_of(reader)))


@router.post("/release")
def release(request: Request, study_instance_uid: StudyUid, reader: Reader) -> ActDone:
    """Give the study back."""
    return act_done(_work(request).release(StudyInstanceUid(study_instance_uid), actor_of(reader)))


@router.post("/read")
def read(request: Request, study_instance_uid: StudyUid, reader: Reader) -> ActDone:
    """Mark the present revision as read: its row is closed until more images or a later flag open it again."""
    return act_done(_work(request).mark_read(StudyInstanceUid(study_instance_uid), actor_of(reader)))


@router.post("/reopen")
def reopen(request: Request, study_instance_uid: StudyUid, reader: Reader) -> ActDone:
    """Put a study that was read back on the list."""
    return act_done(_work(request).reopen(StudyInstanceUid(study_instance_uid), actor_of(reader)))


@router.post("/verdicts")
def verdict(request: Request, study_instance_uid: StudyUid, reader: Reader, wanted: VerdictWanted) -> ActDone:
    """Agree (accept) or disagree (reject) with the AI, correct its place (modify), or tell what it missed (add)."""
    uid = StudyInstanceUid(study_instance_uid)
    given = _work(request).answer(uid, actor_of(reader), wanted.answer, wanted.exposure, wanted.note, wanted.about)
    return act_done(given)


@router.post("/notes")
def note(request: Request, study_instance_uid: StudyUid, reader: Reader, wanted: NoteWanted) -> ActDone:
    """Keep a free note."""
    return act_done(_work(request).write_note(StudyInstanceUid(study_instance_uid), actor_of(reader), wanted.note))


@router.post("/priority")
def reprioritise(request: Request, study_instance_uid: StudyUid, reader: Reader, wanted: PriorityWanted) -> ActDone:
    """Give the study a band for some hours; less urgent than its own only for those who lead (403)."""
    uid, band, lasts = StudyInstanceUid(study_instance_uid), Priority[wanted.band], timedelta(hours=wanted.hours)
    return act_done(_work(request).reprioritise(uid, actor_of(reader), band, wanted.reason, lasts))


@router.post("/priority/restore")
def restore_order(request: Request, study_instance_uid: StudyUid, reader: Reader) -> ActDone:
    """Give the study its own band again."""
    return act_done(_work(request).restore_order(StudyInstanceUid(study_instance_uid), actor_of(reader)))


@router.post("/undo")
def undo(request: Request, study_instance_uid: StudyUid, reader: Reader, wanted: UndoWanted) -> ActDone:
    """Take back one act: one's own, or with the role lead anybody's."""
    return act_done(_work(request).undo(StudyInstanceUid(study_instance_uid), actor_of(reader), wanted.act))


def _work(request: Request) -> ReaderWork:
    services: WorklistServices = request.app.state.services
    return services.work
