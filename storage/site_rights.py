"""Which studies an account may open that is not for every site, and those opened all the same in an emergency."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, func, insert, or_, select

from storage.audit import AuditRows
from storage.schema import studies
from storage.schema_of_people import broken_glass
from storage.transaction import transaction
from triage.audit import Actor, AuditAction, AuditEvent
from triage.errors import ActNotPossible, UnknownStudy
from triage.identifiers import StudyInstanceUid


@dataclass(frozen=True, slots=True)
class GlassBroken:
    """One study that one account may open until `expires_at`; `cause` is a word, `note` free text."""

    number: int
    account: str
    study_instance_uid: StudyInstanceUid
    cause: str
    note: str
    at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SiteRightsRows:
    """The rights as rows, each call in a transaction of its own."""

    engine: Engine

    def may_open(self, account: str, sites: Sequence[str], study: StudyInstanceUid) -> bool:
        """Return whether the study is of these sites, or opened in an emergency; True where there is no such study."""
        query = select(within(account, sites)).where(studies.c.study_instance_uid == study)
        with transaction(self.engine) as connection:
            return connection.execute(query).scalar_one_or_none() is not False

    def break_glass(
        self, actor: Actor, asked: str, why: tuple[str, str], at: datetime, lasts: timedelta
    ) -> GlassBroken:
        """Open the study with the UID or the accession number `asked`, and note it in the same transaction.

        The note may name a patient: it stays beside the chain, which holds the cause and the number of the opening.

        Raises:
            UnknownStudy: there is none.
            ActNotPossible: there are several.
        """
        named = or_(studies.c.study_instance_uid == asked, studies.c.header["accession_number"].astext == asked)
        with transaction(self.engine) as connection:
            uids = connection.scalars(select(studies.c.study_instance_uid).where(named).limit(2)).all()
            if not uids:
                raise UnknownStudy("no study has this UID or accession number")
            if len(uids) > 1:
                raise ActNotPossible("several studies have this accession number, a Study Instance UID is needed")
            cause, note = why
            values = {"account": actor.name, "study_instance_uid": uids[0], "cause": cause, "note": note, "at": at}
            adding = insert(broken_glass).values(values | {"expires_at": at + lasts}).returning(broken_glass)
            opened = _opening(connection.execute(adding).one())
            told = {"opening": str(opened.number), "cause": cause, "until": opened.expires_at.isoformat()}
            event = AuditEvent(at, actor, AuditAction.GLASS_BROKEN, True, opened.study_instance_uid, told)
            AuditRows(connection).append(event)
        return opened

    def openings(self, most: int) -> Sequence[GlassBroken]:
        """Return the newest ones first."""
        query = select(broken_glass).order_by(broken_glass.c.number.desc()).limit(most)
        with transaction(self.engine) as connection:
            return [_opening(row) for row in connection.execute(query)]


def within(account: str, sites: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a study is of these sites, or open to the account in an emergency."""
    opened = select(broken_glass.c.study_instance_uid).where(
        broken_glass.c.account == account, broken_glass.c.expires_at > func.now()
    )
    of_sites = func.coalesce(studies.c.header["institution_name"].astext, "").in_(sites)
    return or_(of_sites, studies.c.study_instance_uid.in_(opened))


def _opening(row: Row[Any]) -> GlassBroken:
    return GlassBroken(
        number=row.number,
        account=row.account,
        study_instance_uid=StudyInstanceUid(row.study_instance_uid),
        cause=row.cause,
        note=row.note,
        at=row.at.astimezone(UTC),
        expires_at=row.expires_at.astimezone(UTC),
    )
