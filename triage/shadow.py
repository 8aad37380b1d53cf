"""A model in the shadow sees live studies, and nobody sees it: not the list, not a report, not a deadline."""

from dataclasses import dataclass

from triage.errors import PermanentError
from triage.findings import Analysis
from triage.identifiers import StudyInstanceUid
from triage.ports import Analyser, Clock, ModelOffer, ShadowAnswer, Transactions
from triage.selection import select_series
from triage.study import Series


@dataclass(frozen=True, slots=True)
class Shadow:
    """Steps 3 to 6 once more, after the study was triaged; the results are kept apart."""

    transactions: Transactions
    clock: Clock
    analyser: Analyser

    def watch_study(self, uid: StudyInstanceUid, revision: int) -> None:
        """Keep what every model in the shadow says about the study.

        The study is only looked at, never locked or changed. A failure is kept like any other answer; run again, the
        first answer stays.
        """
        with self.transactions.begin() as records:
            series = records.studies.series_of(uid)
        for offer in self.analyser.offers():
            analysis, reason = self._asked(offer, series)
            answer = ShadowAnswer(uid, revision, offer.identity, self.clock.now(), analysis, reason)
            with self.transactions.begin() as records:
                records.shadow.record(answer)

    def _asked(self, offer: ModelOffer, series: tuple[Series, ...]) -> tuple[Analysis | None, str]:
        selection = select_series(series, offer.acceptance)
        if selection.chosen is None:
            return None, selection.reason
        try:
            analysis = self.analyser.analyse(offer.identity, selection.chosen)
        except PermanentError as error:
            return None, str(error)
        return (None, analysis.out_of_scope) if analysis.out_of_scope else (analysis, "")
