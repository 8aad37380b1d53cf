"""The audit chain: whole as written, broken by every change, and cut only unseen by those without an anchor."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from triage.audit import START, Actor, AuditAction, AuditEvent, digest_of, sealed, verified
from triage.identifiers import StudyInstanceUid

READER = Actor("ann", "reader")
NIGHT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def a_chain(length=4):
    chain, previous = [], START
    for number in range(1, length + 1):
        event = AuditEvent(NIGHT, READER, AuditAction.STUDY_VIEWED, True, StudyInstanceUid(f"1.2.{number}"), {"n": "1"})
        chain.append(sealed(number, event, previous))
        previous = chain[-1].digest
    return chain


def test_a_chain_as_it_was_written_is_whole():
    found = verified(a_chain())

    assert (found.is_whole, found.links, found.head) == (True, 4, a_chain()[-1].digest)


def test_an_empty_chain_is_whole():
    assert verified([]).is_whole


@pytest.mark.parametrize(
    "change",
    [{"actor": Actor("bob", "reader")}, {"actor": Actor("ann", "lead")}, {"at": NIGHT + timedelta(microseconds=1)},
     {"action": AuditAction.READ}, {"succeeded": False}, {"study_instance_uid": None}, {"details": {"n": "2"}}],
)  # fmt: skip
def test_every_change_of_an_event_is_seen(change):
    chain = a_chain()
    chain[1] = replace(chain[1], event=replace(chain[1].event, **change))

    found = verified(chain)

    assert (found.links, found.fault) == (1, "link 2 was changed after it was sealed")


def test_a_changed_event_that_was_sealed_again_breaks_the_next_link():
    chain = a_chain()
    forged = replace(chain[1].event, actor=Actor("bob", "reader"))
    chain[1] = sealed(2, forged, chain[1].previous)

    assert verified(chain).fault == "link 3 does not follow the link before it"


def test_a_removed_link_is_seen():
    chain = a_chain()

    assert verified([*chain[:1], *chain[2:]]).fault == "link 2 is missing, link 3 follows link 1"
    assert not verified(chain[1:]).is_whole


def test_a_chain_that_was_cut_off_or_rewritten_is_seen_by_its_anchor():
    chain = a_chain()
    anchor = (4, chain[3].digest)

    assert verified(chain, anchor).is_whole
    assert verified(chain[:3]).is_whole
    assert verified(chain[:3], anchor).fault.startswith("link 4: no such link")
    assert not verified(chain, (4, "0" * 64)).is_whole


def test_the_digest_does_not_depend_on_the_time_zone_that_a_database_answers_in():
    event = AuditEvent(NIGHT, READER, AuditAction.READ)
    elsewhere = replace(event, at=NIGHT.astimezone(timezone(timedelta(hours=5))))

    assert digest_of(1, event, START) == digest_of(1, elsewhere, START)
