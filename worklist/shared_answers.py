"""One answer for all who ask for the same at the same moment: a change makes every open page ask for the list."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Event, Lock


@dataclass(slots=True)
class _Answer:
    """`body` stays None where whoever worked it out failed."""

    body: bytes | None = None
    has_begun: bool = False
    is_over: Event = field(default_factory=Event)


@dataclass(slots=True)
class SharedAnswers:
    """Works out equal questions one after the other; nothing is kept once it was told.

    Whoever asks shares an answer only when it was begun after the question came, so that it is never older than the
    change that made a page ask. Of many who ask at once the first waits for nobody, the others for the second answer.
    """

    _newest: dict[Hashable, _Answer] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def to(self, question: Hashable, work_out: Callable[[], bytes]) -> bytes:
        """Return what `work_out` returns, from this call or from another one to the same question."""
        with self._lock:
            earlier = self._newest.get(question)
            if shared := earlier is not None and not earlier.has_begun:
                answer = earlier
            else:
                answer = self._newest[question] = _Answer()
        if not shared:
            return self._worked_out(question, answer, earlier, work_out)
        answer.is_over.wait()
        return self.to(question, work_out) if answer.body is None else answer.body

    def _worked_out(
        self, question: Hashable, answer: _Answer, earlier: _Answer | None, work_out: Callable[[], bytes]
    ) -> bytes:
        if earlier is not None:
            earlier.is_over.wait()
        with self._lock:
            answer.has_begun = True
        try:
            answer.body = work_out()
            return answer.body
        finally:
            answer.is_over.set()
            with self._lock:
                if self._newest.get(question) is answer:
                    del self._newest[question]
