"""Answers come back from their lines as they were."""

import json
from pathlib import Path

from triage.findings import Mask, Region
from triage.identifiers import Sha256, SopInstanceUid
from validation.answers import ImageAnswer, StudyAnswer
from validation.kept_answers import answer_from, read_kept, record_of
from validation.labelled_images import LabelledImage, LabelledStudy

UID = SopInstanceUid("1.2.3")
IMAGE = LabelledImage(Path("a.png"), "a.png", Sha256("0" * 64), "s1", "p1", None, True, {})
STUDY = LabelledStudy("s1", "p1", (IMAGE,), True, {})
BOX = Region(UID, (1.5, 2.0, 30.25, 1 / 3), 0.1 + 0.2, 4)
ANSWERED = StudyAnswer(
    STUDY, 0.7, (ImageAnswer(IMAGE, "a.png#4", 0.7, Mask(UID, 8, 8, "eJw=", 4), (BOX,)),), "", ("dim",), "CPU"
)
REFUSED = StudyAnswer(STUDY, None, (), "no skull", (), "")


def test_an_answer_comes_back_to_the_bit_with_its_outline_and_its_boxes():
    for given in (ANSWERED, REFUSED):
        assert answer_from(STUDY, json.loads(json.dumps(record_of(given, 1.5)))) == given


def test_a_line_that_was_cut_off_is_taken_away(tmp_path):
    path, line = tmp_path / "answers.jsonl", json.dumps(record_of(ANSWERED, 1.5)) + "\n"
    path.write_text(line + line[:40])

    kept = read_kept(path)

    assert list(kept) == ["s1"]
    assert path.read_text() == line
