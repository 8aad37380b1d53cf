"""STOW-RS: instances come in, each as safe as by C-STORE before the answer says so (PS3.18 section 10.5)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from triage.audit import AuditAction
from triage.dicom_search import DicomSearch, Level, Match
from triage.identifiers import StudyInstanceUid
from worklist.access import noting_of
from worklist.auth import Identity
from worklist.dicomweb.answering import PREFIX, Storer, UidInPath, base_of, dicom_json, require_json, web_of
from worklist.dicomweb.attributes import attribute_called, element, key_of
from worklist.dicomweb.multipart import MalformedBody, PartBegins, PartContent, PartReader, media_type_of
from worklist.dicomweb.ports import DicomWebServices, IncomingPart, IntakeSession, Receipt
from worklist.noting import actor_of

router = APIRouter(prefix=PREFIX, tags=["dicomweb"])

PIECE_BYTES = 1 << 20
IDLE_S = 60.0
"""A body without a byte for so long is given up, as an association is."""
OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0xA700, 0xC000


@router.post("/studies", response_class=Response)
async def store(request: Request, identity: Storer) -> Response:
    """Store instances of any study."""
    return await _store(request, identity, "")


@router.post("/studies/{study}", response_class=Response)
async def store_in_study(request: Request, study: UidInPath, identity: Storer) -> Response:
    """Store instances of one study; those of others are refused."""
    return await _store(request, identity, study)


@dataclass(frozen=True, slots=True)
class _NoDicomFile:
    """A part that has no UID to be named by."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    failure: int = CANNOT_UNDERSTAND


@dataclass(slots=True)
class _Body:
    """One request body on its way in; runs in a thread, since it writes and waits for the disk and the database."""

    reader: PartReader
    session: IntakeSession
    receipts: list[Receipt] = field(default_factory=list)
    incoming: IncomingPart | None = None

    def take(self, piece: bytes) -> None:
        for event in self.reader.feed(piece):
            if isinstance(event, PartBegins):
                media, _ = media_type_of(event.content_type)
                if media in ("application/dicom", ""):
                    self.incoming = self.session.begin()
                else:
                    self.receipts.append(_NoDicomFile())
            elif isinstance(event, PartContent):
                if self.incoming is not None:
                    self.incoming.write(event.content)
            elif self.incoming is not None:
                incoming, self.incoming = self.incoming, None
                self.receipts.append(incoming.finish())

    def end(self) -> None:
        """Return when the body was whole; raises MalformedBody."""
        self.reader.finish()

    def close(self, outcome: str) -> None:
        if self.incoming is not None:
            self.incoming.discard()
        self.session.close(outcome)


async def _store(request: Request, identity: Identity, study: str) -> Response:
    require_json(request)
    media, parameters = media_type_of(request.headers.get("content-type", ""))
    boundary = parameters.get("boundary", "")
    if media != "multipart/related" or parameters.get("type", "application/dicom").lower() != "application/dicom":
        raise HTTPException(415, 'multipart/related; type="application/dicom" is needed')
    if not 1 <= len(boundary) <= 70 or not boundary.isascii():
        raise HTTPException(400, "the content type names no boundary of 1 to 70 characters")
    host = request.client.host if request.client else ""
    session = web_of(request).intake.session(identity.name, host, study)
    body = _Body(PartReader(boundary), session)
    problem, outcome = "", "aborted"
    try:
        await _take_all(request, body)
        body.end()
        outcome = "released"
    except MalformedBody as error:
        problem = str(error)
    except ClientDisconnect:
        problem = "the connection ended before the body did"
    finally:
        await run_in_threadpool(body.close, outcome)
    return await run_in_threadpool(_answer, request, identity, study, body.receipts, problem)


async def _take_all(request: Request, body: _Body) -> None:
    """Take the body to its end, or all that came of it; raises MalformedBody, ClientDisconnect."""
    gathered, arriving = bytearray(), aiter(request.stream())
    try:
        while True:
            gathered += await asyncio.wait_for(anext(arriving), IDLE_S)
            if len(gathered) >= PIECE_BYTES:
                whole, gathered = bytes(gathered), bytearray()
                await run_in_threadpool(body.take, whole)
    except StopAsyncIteration:
        return
    except TimeoutError as error:
        raise MalformedBody(f"no byte for {IDLE_S:.0f} s") from error
    finally:
        await run_in_threadpool(body.take, bytes(gathered))


def _answer(request: Request, identity: Identity, study: str, receipts: Sequence[Receipt], problem: str) -> Response:
    """Return what became of each instance (PS3.18 tables 10.5.3-1 and I.1-1)."""
    kept = [one for one in receipts if not one.failure]
    failed = [one for one in receipts if one.failure]
    details = {"stored": str(len(kept)), "refused": str(len(failed))}
    noted = StudyInstanceUid(study) if study else None
    noting_of(request).event(actor_of(identity), AuditAction.IMAGES_STORED, noted, details, bool(kept))
    if not receipts:
        raise HTTPException(400, problem or "the body has no part")
    if problem:
        # What came before is safe and is told; the part that was cut off is not.
        failed.append(_NoDicomFile())
    status = (202 if failed else 200) if kept else 409
    headers = {}
    if not kept and all(one.failure == OUT_OF_RESOURCES for one in failed):
        status, headers = 503, {"Retry-After": "30"}
    return dicom_json(_told(request, study, kept, failed), status, headers)


def _told(request: Request, study: str, kept: Sequence[Receipt], failed: Sequence[Receipt]) -> dict[str, Any]:
    base = base_of(request)
    places = _places(web_of(request), base, [one.sop_instance_uid for one in kept])
    told: dict[str, Any] = {"00081190": element("UR", f"{base}/studies/{study}" if study else "")}
    named = [one for one in failed if one.sop_instance_uid]
    other = [one for one in failed if not one.sop_instance_uid]
    if kept:
        stored = [{**_named(one), "00081190": element("UR", places.get(one.sop_instance_uid, ""))} for one in kept]
        told["00081199"] = {"vr": "SQ", "Value": stored}
    if named:
        told["00081198"] = {"vr": "SQ", "Value": [{**_named(one), "00081197": _reason(one)} for one in named]}
    if other:
        told["0008119A"] = {"vr": "SQ", "Value": [{"00081197": _reason(one)} for one in other]}
    return dict(sorted(told.items()))


def _named(one: Receipt) -> dict[str, Any]:
    return {"00081150": element("UI", one.sop_class_uid), "00081155": element("UI", one.sop_instance_uid)}


def _reason(one: Receipt) -> dict[str, Any]:
    return element("US", one.failure)


def _places(web: DicomWebServices, base: str, uids: Sequence[str]) -> dict[str, str]:
    """Return where each stored instance can be retrieved."""
    attribute = attribute_called("SOPInstanceUID")
    key = None if attribute is None else key_of(attribute, Level.INSTANCE)
    if key is None or not uids:
        return {}
    found = web.index.search(DicomSearch(Level.INSTANCE, (Match(key, ",".join(uids)),), limit=len(uids))).found
    return {
        one.image.sop_instance_uid: f"{base}/studies/{one.study.study_instance_uid}"
        f"/series/{one.series.series_instance_uid}/instances/{one.image.sop_instance_uid}"
        for one in found
        if one.series is not None and one.image is not None
    }
