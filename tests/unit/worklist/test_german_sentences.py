"""Every sentence that the server says to the page has German words: the list of the page against the code."""

import ast
import json
import re
from pathlib import Path

import pytest

from triage.findings import AiState
from triage.outcome import summary
from triage.priority import Priority
from triage.reading_order import reason_for
from triage.rules import Routing

ROOT = Path(__file__).resolve().parents[3]
CATALOGUE = ROOT / "worklist" / "ui" / "src" / "words" / "de" / "sentences.ts"
ENTRY = re.compile(r'\[\s*("(?:[^"\\]|\\.)*"),\s*("(?:[^"\\]|\\.)*"),?\s*\]')

RAISED = (
    "triage/reading.py", "triage/reader_work.py", "storage/alarms.py", "storage/incidents.py", "storage/deliveries.py",
    "storage/saved_views.py", "storage/preferences.py", "storage/site_rights.py", "worklist/access.py",
    "worklist/auth.py", "worklist/people.py", "worklist/routes/administration.py", "worklist/routes/break_glass.py",
    "worklist/routes/images.py", "worklist/routes/people.py", "inference/stacking.py", "inference/slice_planes.py",
    "inference/dicom_volume.py", "inference/dicom_pixels.py", "inference/decoding.py", "inference/preprocess.py",
)  # fmt: skip
"""What a reader, a lead or an administrator meets when something cannot be done, or an image cannot be read."""

RETURNED = ("triage/selection.py", "triage/completeness.py", "inference/quality.py")
"""Why a model did not see a series, and what was noticed of the images."""

OF_PROGRAMS = {"ValueError", "UnknownStudy"}
"""`worklist.app` tells these in words of its own."""


def sentences_of(path: str) -> set[str]:
    """Return the sentences that the module raises or, in the modules of reasons, returns; values as {}."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if path in RETURNED and isinstance(node, ast.Return) and node.value is not None:
            found |= templates(node.value)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and name_of(node.exc) not in OF_PROGRAMS:
            found |= {one for argument in node.exc.args for one in templates(argument)}
    return {one for one in found if " " in one.replace("{}", "").strip()}


def name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def templates(node: ast.expr) -> set[str]:
    if isinstance(node, ast.IfExp):
        return templates(node.body) | templates(node.orelse)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.JoinedStr):
        return {"".join(one.value if isinstance(one, ast.Constant) else "{}" for one in node.values)}
    return set()


@pytest.fixture(scope="module")
def catalogue() -> dict[str, str]:
    text = CATALOGUE.read_text(encoding="utf-8")
    return {json.loads(english): json.loads(german) for english, german in ENTRY.findall(text)}


def is_known(sentence: str, catalogue: dict[str, str]) -> bool:
    """Return whether the page knows it, by the rule of `sentences.ts`: whole, part by part, or behind what it is of."""
    if sentence == "{}":
        return True
    for pattern in (re.escape(one).replace(re.escape("{}"), "(.+?)") for one in catalogue):
        found = re.fullmatch(pattern, sentence, re.IGNORECASE | re.DOTALL)
        # A value of several words is a sentence of its own.
        if found and all(is_known(one, catalogue) for one in found.groups() if re.search("[a-z] ", one)):
            return True
    if len(parts := sentence.split("; ")) > 1:
        return all(is_known(part, catalogue) for part in parts)
    about, _, said = sentence.partition(": ")
    return bool(said) and len(about) <= 100 and is_known(said, catalogue)


@pytest.mark.parametrize("path", [*RAISED, *RETURNED])
def test_each_sentence_of_the_module_has_german_words(path, catalogue):
    sentences = sentences_of(path)

    assert sentences
    assert [one for one in sorted(sentences) if not is_known(one, catalogue)] == []


@pytest.mark.parametrize("state", list(AiState))
def test_the_reason_of_a_row_has_german_words_in_every_state(state, catalogue):
    why = {
        AiState.ANALYSED_FLAGGED: "suspected bleeding, ich-ct@1.0.0",
        AiState.ANALYSED_NO_FLAG: "ich-ct@1.0.0",
        AiState.OUT_OF_SCOPE: f"ich-ct: no images; {summary((), (), ()).reason}",
        AiState.FAILED: "1.2.3: no pixel data",
    }
    routing = Routing(priority_floor=Priority.URGENT, floor_rule="head", problem="")

    reason = reason_for(Priority.CRITICAL, "STAT", state, why.get(state, ""))

    assert is_known(f"{reason}; {routing.words}", catalogue)


def test_a_sentence_that_nobody_worded_is_found(catalogue):
    assert is_known("ich-ct: 4 slices, at least 8 needed", catalogue)
    assert is_known("account {}: the last administrator cannot be removed", catalogue)
    assert not is_known("the moon is full", catalogue)
    assert not is_known("ich-ct: the moon is full", catalogue)


def test_german_words_take_no_value_that_the_english_sentence_has_not(catalogue):
    for english, german in catalogue.items():
        by_place = [int(one) for one in re.findall(r"\{(\d+)\}", german)]
        assert max(by_place, default=-1) < english.count("{}"), english
        assert german.count("{}") in (0, english.count("{}")), english
