"""The drawings of the report, and the band around a ROC curve."""

import socket
import sys
import threading
import xml.etree.ElementTree as ElementTree
from contextlib import suppress

import numpy as np
import pytest

from triage.errors import PdfUnavailable
from validation.intervals import Estimate
from validation.page import html_page, table
from validation.pdf import pdf_writer
from validation.report_drawings import calibration_drawing, flow_drawing, forest_drawing, froc_drawing, roc_drawing
from validation.statistics.calibration import reliability
from validation.statistics.roc_band import roc_band
from validation.statistics.scored_cases import ScoredCases


def cases(seed: int = 1, count: int = 120, each: int = 1) -> ScoredCases:
    random = np.random.default_rng(seed)
    truth = np.repeat(np.arange(count) % 2 == 0, each)
    scores = np.repeat(random.normal(np.arange(count) % 2 == 0, 1.0), each)
    names = tuple(map(str, range(count * each)))
    return ScoredCases(names, truth, scores, tuple(str(n // each) for n in range(count * each)))


def test_the_band_holds_the_curve_and_is_as_wide_for_copies_of_the_same_patients():
    once, tenfold = roc_band(cases(), seed=1), roc_band(cases(each=10), seed=1)

    assert once is not None
    assert tenfold is not None
    assert (once.low <= once.high).all()
    assert once.high[-1] == once.low[-1] == 1.0
    assert np.mean(tenfold.high - tenfold.low) == pytest.approx(np.mean(once.high - once.low), rel=0.05)
    assert np.mean(once.high - once.low) > 0.1


def test_the_band_covers_the_true_sensitivity_at_a_fixed_specificity():
    # Positives are normal around 1, negatives around 0: at 20 % false positives the threshold is 0.8416.
    inside = 0
    for seed in range(200):
        band = roc_band(cases(seed), seed=1, draws=200)
        inside += band.low[20] <= 0.5629 <= band.high[20]

    assert inside / 200 >= 0.9


def test_without_two_patients_of_a_kind_there_is_no_band():
    one = ScoredCases(("a", "b", "c"), np.array([True, False, False]), np.array([0.9, 0.1, 0.2]), ("p", "q", "r"))

    assert roc_band(one, seed=1) is None
    assert "<polygon" not in roc_drawing(one, None)


def test_every_drawing_is_well_formed_and_says_what_it_is():
    scored = cases()
    probabilities = 1 / (1 + np.exp(-scored.scores))
    groups = [("site: <a>", Estimate(0.8, (0.7, 0.9))), ("site: b", Estimate(0.5, None)), ("c", Estimate(None, None))]
    drawings = [
        roc_drawing(scored, scored),
        calibration_drawing(reliability(scored.truth, probabilities)),
        forest_drawing("Study AUC", groups, Estimate(0.75, (0.7, 0.8))),
        froc_drawing([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
        flow_drawing([("10 studies", ""), ("9 answered", "1 refused")]),
    ]

    for drawing in drawings:
        figure = ElementTree.fromstring(drawing)
        assert figure.find("svg").get("aria-label")
        assert figure.find("svg").get("role") == "img"
    assert drawings[2].count("<rect") == 2
    assert "&lt;a&gt;" in drawings[2]
    assert roc_drawing(None, None) == forest_drawing("AUC", [], Estimate(0.5, None)) == ""


def test_a_page_is_written_as_pdf_and_fetches_nothing(tmp_path):
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x.png"
        body = [f'<p>one</p><img src="{address}" alt="">', table("t", ("a", "b"), [["1", "2"]])]
        writing = threading.Thread(
            target=pdf_writer(), args=(html_page("Title", "lead", body), tmp_path / "page.pdf"), daemon=True
        )
        writing.start()
        while writing.is_alive():
            with suppress(TimeoutError):
                asked.append(server.accept()[0].close())

    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF-")
    assert asked == []


def test_where_a_library_is_missing_one_line_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)

    with pytest.raises(PdfUnavailable, match=r"^--pdf: [^\n]* needed Pango on this machine$"):
        pdf_writer()
