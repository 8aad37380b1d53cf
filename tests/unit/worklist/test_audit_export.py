"""The audit chain as CSV and as FHIR AuditEvent."""

import csv
import io
from datetime import UTC, datetime

from triage.audit import START, Actor, AuditAction, AuditEvent, sealed
from triage.identifiers import StudyInstanceUid
from worklist.audit_export import COLUMNS, as_csv, as_fhir

NIGHT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def a_record(actor="ann", action=AuditAction.STUDY_VIEWED, succeeded=True, study="1.2.3"):
    uid = None if study is None else StudyInstanceUid(study)
    return sealed(1, AuditEvent(NIGHT, Actor(actor, "reader"), action, succeeded, uid, {"act": "7"}), START)


def test_csv_has_one_line_for_each_link_and_reads_back():
    record = a_record()

    header, row = csv.reader(io.StringIO("".join(as_csv([record]))))

    assert tuple(header) == COLUMNS
    assert row[:7] == ["1", "2026-11-22T03:00:00+00:00", "ann", "reader", "study_viewed", "True", "1.2.3"]
    assert row[-1] == record.digest


def test_no_cell_begins_a_formula():
    *_, line = as_csv([a_record(actor="=cmd|' /C calc'!A0")])

    assert "'=cmd" in line
    assert ",=cmd" not in line


def test_a_view_is_an_r4_audit_event_about_the_study():
    event = as_fhir(a_record(), "ACUITY")

    assert (event["resourceType"], event["action"], event["outcome"]) == ("AuditEvent", "R", "0")
    assert event["type"]["code"] == "110103"
    assert event["recorded"] == "2026-11-22T03:00:00.000+00:00"
    assert event["agent"][0]["who"]["identifier"]["value"] == "ann"
    assert event["agent"][0]["requestor"] is True
    assert event["entity"][0]["what"]["identifier"]["value"] == "urn:oid:1.2.3"
    assert event["source"]["observer"]["display"] == "Acuity ACUITY"


def test_a_refused_login_is_an_authentication_that_failed_and_names_no_study():
    event = as_fhir(a_record(action=AuditAction.LOGIN_REFUSED, succeeded=False, study=None), "ACUITY")

    assert (event["type"]["code"], event["outcome"]) == ("110114", "4")
    assert [entity["name"] for entity in event["entity"]] == ["link 1"]


def test_a_study_opened_in_an_emergency_is_a_security_alert():
    # PS3.15 A.5.3.11: Emergency Override is a kind of Security Alert.
    told = as_fhir(a_record(action=AuditAction.GLASS_BROKEN), "North")

    assert (told["type"]["code"], told["subtype"][0]["code"]) == ("110113", "glass_broken")
