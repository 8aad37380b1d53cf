"""Keeping and removing: files that changed are named, and nothing goes that something still needs."""

import os
import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from dicom_gateway.spool import prepare_spool, spool_alone
from storage.audit import AuditTrail
from storage.commitments import CommitmentRows
from storage.file_check import check_files
from storage.retention import Retention, RetentionRule
from tests.integration.test_deliveries import UID, head_of
from tests.integration.test_sender import needs
from triage.commitment import Reference
from triage.errors import DestinationRefused
from triage.forwarding import plan_forwarding
from triage.ports import ResultObject, SentOriginal
from triage.priority import Priority

DAY = timedelta(days=1)


@pytest.fixture
def sent(start_receiver, dcmtk, tmp_path, transactions):
    """A study of three instances that a real receiver took; returns its spool."""
    receiver = start_receiver()
    files = [head_of(number, tmp_path / f"slice{number}.dcm") for number in range(3)]
    assert dcmtk("storescu", "127.0.0.1", receiver.port, *files).returncode == 0
    return UID, receiver.spool


def finish(engine, status: str = "DELIVERED", read: bool = True) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM procrastinate_jobs"))
        connection.execute(
            text("UPDATE studies SET status = :status, read_revision = CASE WHEN :read THEN revision END"),
            {"status": status, "read": read},
        )


def retention(engine, spool, rule: RetentionRule) -> Retention:
    return Retention(engine, rule, lambda: spool_alone(spool))


@needs("storescu")
def test_verify_names_what_is_missing_altered_and_extra(sent, engine):
    _, spool = sent
    folders = (spool / "instances", spool / "quarantine")
    whole = check_files(engine, folders)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.file_check._ROWS_AT_ONCE", 2)
        assert check_files(engine, folders).files == 3
    first, second, third = sorted((spool / "instances").rglob("*.dcm"))

    first.unlink()
    content = second.read_bytes()
    second.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    third.write_bytes(third.read_bytes()[:-2])
    extra = spool / "instances" / "00" / "extra.dcm"
    extra.write_bytes(b"x")

    assert (whole.is_whole, whole.files) == (True, 3)
    young = check_files(engine, folders)
    assert young.orphans == []
    found = check_files_later(engine, folders)
    assert [one.path for one in found.missing] == [str(first)]
    assert {one.path: one.found.split(" ")[0] for one in found.altered} == {str(second): "SHA-256", str(third): "data"}
    assert [one.path for one in found.orphans] == [str(extra)]
    assert not found.is_whole


def check_files_later(engine, folders):
    """Check as if the files had lain there for a while; a file's change time cannot be set, so the clock moves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.file_check.SETTLED_AFTER_S", -1.0)
        return check_files(engine, folders)


@needs("storescu")
def test_old_images_go_and_what_was_found_stays(sent, engine, clock):
    uid, spool = sent
    finish(engine)
    rule = RetentionRule(keep=30 * DAY)
    keeping = retention(engine, spool, rule)

    assert keeping.removable(clock.now() + 29 * DAY) == []
    (study,) = keeping.removable(clock.now() + 31 * DAY)
    assert (study.study_instance_uid, study.instances, study.modalities) == (uid, 3, ("CT",))
    assert keeping.remove(study, clock.now() + 31 * DAY) == 3

    assert list((spool / "instances").rglob("*.dcm")) == []
    assert check_files(engine, (spool / "instances",)).is_whole
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT study_instance_uid FROM studies")).all() == [uid]
    (record,) = AuditTrail(engine).newest(1)
    assert (record.event.action.value, record.event.study_instance_uid) == ("images_removed", uid)
    assert keeping.remove(study, clock.now()) == 0 or keeping.removable(clock.now() + 31 * DAY) == []


@needs("storescu")
def test_an_image_that_comes_again_after_it_was_removed_is_stored_again(
    sent, engine, clock, start_receiver, dcmtk, tmp_path
):
    _, spool = sent
    finish(engine)
    keeping = retention(engine, spool, RetentionRule(keep=DAY))
    keeping.remove(keeping.removable(clock.now() + 2 * DAY)[0], clock.now())

    receiver = start_receiver()
    assert dcmtk("storescu", "127.0.0.1", receiver.port, tmp_path / "slice0.dcm").returncode == 0

    found = check_files(engine, (spool / "instances",))
    assert (found.is_whole, found.files) == (True, 1)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT status, revision FROM studies")).one() == ("RECEIVING", 2)


def keep_what_waits(engine, transactions, uid, clock, case: str) -> None:
    """Leave the finished study with one thing that it still waits for."""
    finish(engine)
    if case == "commitment given":
        references = [Reference("1.2.840.10008.5.1.4.1.1.2", f"{uid}.1.0")]
        CommitmentRows(engine).requested("SCANNER", "127.0.0.1", "2.25.7", references)
    with transactions.begin() as records:
        if case == "original planned":
            plan_forwarding(records, uid, "pacs", Priority.ROUTINE)
        elif case == "original refused":
            plan_forwarding(records, uid, "pacs", Priority.ROUTINE)
            records.forwardings.note_all([f"{uid}.1.0"], "pacs", DestinationRefused("no"), clock.now())
        elif case in ("report planned", "report refused"):
            records.results.add_object(ResultObject("2.25.1", "1.2", uid, 1, "sr", "0" * 64, "/nowhere"))
            records.results.add_delivery("2.25.1", "pacs")
            if case == "report refused":
                records.results.mark_undeliverable("2.25.1", "pacs", "no", clock.now())
        elif case == "job left":
            records.queue.defer_reports(uid, 1, Priority.ROUTINE)
    if case == "job left":
        return
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM procrastinate_jobs"))
        if case == "unread":
            connection.execute(text("UPDATE studies SET read_revision = NULL"))
        if case in ("RECEIVING", "COMPLETE", "NEEDS_ATTENTION"):
            connection.execute(text("UPDATE studies SET status = :status"), {"status": case})
        if case == "claimed":
            connection.execute(text("UPDATE studies SET lease_expires_at = :at"), {"at": clock.now() + 100 * DAY})


@needs("storescu")
@pytest.mark.parametrize(
    "case",
    ["original planned", "original refused", "report planned", "report refused", "job left", "unread", "claimed",
     "commitment given", "RECEIVING", "COMPLETE", "NEEDS_ATTENTION"],
)  # fmt: skip
def test_nothing_goes_that_something_waits_for(case, sent, engine, transactions, clock):
    uid, spool = sent
    keep_what_waits(engine, transactions, uid, clock, case)

    assert retention(engine, spool, RetentionRule(keep=DAY)).removable(clock.now() + 10 * DAY) == []


@needs("storescu")
def test_unread_studies_and_delivered_originals_go_where_the_rule_says_so(sent, engine, transactions, clock):
    uid, spool = sent
    with transactions.begin() as records:
        plan_forwarding(records, uid, "pacs", Priority.ROUTINE)
        for number in range(3):
            records.forwardings.note(SentOriginal(f"{uid}.1.{number}", "1.2.840.10008.1.2.1"), "pacs", clock.now())
    finish(engine, read=False)
    keeping = retention(engine, spool, RetentionRule(keep=DAY, must_be_read=False))

    (study,) = keeping.removable(clock.now() + 2 * DAY)
    assert keeping.remove(study, clock.now() + 2 * DAY) == 3


@needs("storescu")
def test_what_changed_between_the_list_and_the_removal_stays(sent, engine, transactions, clock):
    uid, spool = sent
    finish(engine)
    keeping = retention(engine, spool, RetentionRule(keep=DAY))
    (study,) = keeping.removable(clock.now() + 2 * DAY)
    with transactions.begin() as records:
        plan_forwarding(records, uid, "pacs", Priority.ROUTINE)

    assert keeping.remove(study, clock.now() + 2 * DAY) == 0
    assert len(list((spool / "instances").rglob("*.dcm"))) == 3


@needs("storescu")
def test_a_file_that_another_row_uses_stays(sent, engine, clock):
    _, spool = sent
    finish(engine)
    with engine.begin() as connection:
        shared = connection.scalars(text("SELECT path FROM instances LIMIT 1")).one()
        connection.execute(
            text(
                "INSERT INTO quarantine (reason, claimed_sop_instance_uid, sha256, size, path, source_ae_title,"
                " source_host, received_at) SELECT 'test', '1.2.3', sha256, size, path, '', '', now() FROM instances"
                " WHERE path = :path"
            ),
            {"path": shared},
        )
    keeping = retention(engine, spool, RetentionRule(keep=DAY))

    assert keeping.remove(keeping.removable(clock.now() + 2 * DAY)[0], clock.now()) == 2
    assert os.path.exists(shared)


def test_the_longest_of_a_study_s_modalities_counts():
    rule = RetentionRule(keep=10 * DAY, by_modality={"CT": 90 * DAY, "US": None})

    assert rule.age_of(["CR"]) == 10 * DAY
    assert rule.age_of(["CR", "CT"]) == 90 * DAY
    assert rule.age_of(["CT", "US"]) is None
    assert RetentionRule().shortest() is None


def test_removing_waits_until_what_got_its_place_is_committed(tmp_path):
    spool = prepare_spool(tmp_path / "spool", 0)
    inside, order = threading.Event(), []

    def remove() -> None:
        inside.wait(5)
        with spool_alone(spool.folder):
            order.append("removed")

    thread = threading.Thread(target=remove)
    thread.start()
    with spool.placing(), spool.placing():
        inside.set()
        thread.join(0.2)
        order.append("committed")
    thread.join(5)

    assert order == ["committed", "removed"]
