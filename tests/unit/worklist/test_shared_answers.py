"""Equal questions at one moment share an answer, but never one that was begun before they came."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.running import wait_for
from worklist.shared_answers import SharedAnswers


class Slow:
    """Answers with the number of the call, each only when it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.may_end = Event()

    def __call__(self) -> bytes:
        self.calls += 1
        number = self.calls
        assert self.may_end.wait(10)
        return str(number).encode()


def test_those_who_come_during_an_answer_share_the_next_one():
    answers, slow = SharedAnswers(), Slow()
    with ThreadPoolExecutor(12) as pool:
        first = pool.submit(answers.to, "list", slow)
        wait_for(lambda: slow.calls == 1, 10)
        others = [pool.submit(answers.to, "list", slow) for _ in range(10)]
        elsewhere = pool.submit(answers.to, "another list", lambda: b"quick")
        assert elsewhere.result(10) == b"quick"
        wait_for(lambda: pool._work_queue.empty(), 10)
        slow.may_end.set()
        told = {one.result(10) for one in others}

    assert first.result() == b"1"
    assert told <= {b"2", b"3"}
    assert slow.calls <= 3


def test_an_answer_is_not_kept():
    answers, slow = SharedAnswers(), Slow()
    slow.may_end.set()

    assert [answers.to("list", slow), answers.to("list", slow)] == [b"1", b"2"]


def test_an_error_is_told_to_the_one_who_met_it_and_the_others_ask_themselves():
    answers, slow = SharedAnswers(), Slow()

    def fail() -> bytes:
        raise LookupError("no database")

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(answers.to, "list", slow)
        wait_for(lambda: slow.calls == 1, 10)
        unlucky = pool.submit(answers.to, "list", fail)
        wait_for(lambda: not answers._newest["list"].has_begun, 10)
        other = pool.submit(answers.to, "list", lambda: b"there")
        slow.may_end.set()

        with pytest.raises(LookupError, match="no database"):
            unlucky.result(10)
        assert (first.result(10), other.result(10)) == (b"1", b"there")
    assert answers._newest == {}
