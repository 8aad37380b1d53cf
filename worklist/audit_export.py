"""The audit chain in the shapes that others read: CSV for people, FHIR AuditEvent for systems."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from triage.audit import AuditAction, AuditRecord

COLUMNS = (
    "number", "at", "actor", "role", "action", "succeeded", "study_instance_uid", "details", "previous", "digest"
)  # fmt: skip
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_TYPES: dict[AuditAction, tuple[str, str, str]] = {
    AuditAction.LOGGED_IN: ("110114", "User Authentication", "E"),
    AuditAction.LOGIN_REFUSED: ("110114", "User Authentication", "E"),
    AuditAction.LOGGED_OUT: ("110114", "User Authentication", "E"),
    AuditAction.LIST_VIEWED: ("110112", "Query", "E"),
    AuditAction.LIST_SEARCHED: ("110112", "Query", "E"),
    AuditAction.STUDY_VIEWED: ("110103", "DICOM Instances Accessed", "R"),
    AuditAction.IMAGES_VIEWED: ("110103", "DICOM Instances Accessed", "R"),
    AuditAction.IMAGES_STORED: ("110104", "DICOM Instances Transferred", "C"),
    AuditAction.QUERY_ANSWERED: ("110112", "Query", "E"),
    AuditAction.IMAGES_RETRIEVED: ("110104", "DICOM Instances Transferred", "R"),
    AuditAction.IMAGES_FETCHED: ("110104", "DICOM Instances Transferred", "C"),
    AuditAction.AUDIT_VIEWED: ("110101", "Audit Log Used", "R"),
    AuditAction.ACCESS_REFUSED: ("110113", "Security Alert", "E"),
    AuditAction.GLASS_BROKEN: ("110113", "Security Alert", "E"),
    AuditAction.IMAGES_REMOVED: ("110105", "DICOM Study Deleted", "D"),
    AuditAction.ACCOUNT_CHANGED: ("110137", "User Security Attributes Changed", "U"),
}
_OTHERS = ("110100", "Application Activity", "U")


def as_csv(records: Iterable[AuditRecord]) -> Iterator[str]:
    """Yield the header and one line for each link; no cell begins a formula in a spreadsheet."""
    yield _line(COLUMNS)
    for one in records:
        event = one.event
        details = json.dumps(dict(event.details), sort_keys=True) if event.details else ""
        yield _line(
            (one.number, event.at.isoformat(), event.actor.name, event.actor.role, event.action.value,
             event.succeeded, event.study_instance_uid or "", details, one.previous, one.digest)
        )  # fmt: skip


def as_fhir(record: AuditRecord, site: str) -> dict[str, Any]:
    """Return a link as a FHIR R4 AuditEvent.

    `site` names this installation as the observer. The entity is the study under its UID; a patient is not named,
    because the chain holds none. Source: FHIR R4 AuditEvent; IHE ITI BALP 1.1 (codes of PS3.16 CID 400 and 401).
    """
    event = record.event
    code, display, action = _TYPES.get(event.action, _OTHERS)
    resource: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": f"acuity-{record.number}",
        "type": {"system": _DCM, "code": code, "display": display},
        "subtype": [{"system": "urn:acuity:audit-action", "code": event.action.value}],
        "action": action,
        "recorded": event.at.isoformat(timespec="milliseconds"),
        "outcome": "0" if event.succeeded else "4",
        "agent": [
            {
                "type": {"coding": [{"system": _DCM, "code": "110153", "display": "Source Role ID"}]},
                "role": [{"text": event.actor.role}],
                "who": {"identifier": {"system": "urn:acuity:account", "value": event.actor.name}},
                "requestor": True,
            }
        ],
        "source": {"observer": {"display": f"Acuity {site}".strip()}},
        "entity": [_chain_entity(record)],
    }

    if event.study_instance_uid is not None:
        resource["entity"].insert(0, _study_entity(event.study_instance_uid))
    return {key: value for key, value in resource.items() if value}


def _study_entity(uid: str) -> dict[str, Any]:
    return {
        "what": {"identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}, "type": "ImagingStudy"},
        "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "2",
                 "display": "System Object"},
        "role": {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "3", "display": "Report"},
    }  # fmt: skip


def _chain_entity(record: AuditRecord) -> dict[str, Any]:
    """Return the link itself as an entity, so that what was exported can be held against the chain."""
    details = [{"type": name, "valueString": value} for name, value in sorted(record.event.details.items()) if value]
    return {
        "what": {"identifier": {"system": "urn:acuity:audit-digest", "value": record.digest}},
        "name": f"link {record.number}",
        "detail": [*details, {"type": "previous", "valueString": record.previous}],
    }


def _line(cells: Iterable[object]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([_harmless(str(cell)) for cell in cells])
    return written.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
