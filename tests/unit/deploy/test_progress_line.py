"""How far a long command is, where somebody is looking and where nobody is."""

import io

from deploy.progress_line import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_remaining_time_counts_only_what_was_answered_now_by_a_model_that_is_loaded():
    clock, terminal = Clock(), Terminal()
    line = ProgressLine(terminal, clock)

    for now, done in ((100.0, 50), (180.0, 60), (210.0, 70), (300.0, 100)):  # 50 were kept; loading took a while
        clock.now = now
        line.told("studies analysed", done, 100)

    kept, first, second, last = terminal.getvalue().removeprefix("\r").split("\r")
    assert kept == "acuity: [############............] 50 of 100  studies analysed\x1b[K"
    assert first == "acuity: [##############..........] 60 of 100  studies analysed\x1b[K"
    # 10 studies took 30 seconds, so the other 30 take 90.
    assert second == "acuity: [################........] 70 of 100  studies analysed, about 2 min left\x1b[K"
    assert last == f"acuity: [{'#' * 24}] 100 of 100  studies analysed\x1b[K\n"


def test_where_nobody_is_looking_there_is_a_line_every_half_minute_and_one_at_the_end():
    clock, log = Clock(), io.StringIO()
    line = ProgressLine(log, clock)

    for done in range(0, 101, 10):
        line.told("unaltered", done, 100)
        clock.now += 10
    line.told("noise", 0, 8)
    line.told("noise", 8, 8)

    assert log.getvalue().splitlines() == [
        "acuity: unaltered: 30 of 100, about 1 min left",
        "acuity: unaltered: 60 of 100, about 40 s left",
        "acuity: unaltered: 90 of 100, about 10 s left",
        "acuity: unaltered: 100 done",
        "acuity: noise: 8 done",
    ]


def test_long_times_are_told_in_hours():
    clock, log = Clock(), io.StringIO()
    line = ProgressLine(log, clock)

    for now, done in ((0.0, 0), (1.0, 1), (61.0, 11)):
        clock.now = now
        line.told("unaltered", done, 1000)

    assert log.getvalue() == "acuity: unaltered: 11 of 1000, about 1.6 h left\n"  # 989 at 6 seconds each
