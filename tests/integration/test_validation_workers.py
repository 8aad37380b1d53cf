"""Several processes that answer, and what a run that was killed leaves and goes on from."""

import csv
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.file_headers import header_of_file
from models.bundle import load_bundle
from tests.integration.test_validation_suite import CENTRE, acuity, home, suite, write_bundle, write_set  # noqa: F401
from triage.errors import WorkerLost
from validation.answering import POLICIES, Question, Subject
from validation.answering_processes import AnsweringProcesses
from validation.datasets import load_dataset
from validation.run import ValidationRequest, validate

ROOT = Path(__file__).parents[2]
COPIES = 20


def write_large_set(folder: Path, copies: int = COPIES) -> Path:
    """Write 60 studies for each copy: the images of `write_set`, many times."""
    write_set(folder)
    with (folder / "labels.csv").open(newline="") as file:
        names, *rows = csv.reader(file)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for copy in range(copies):
            for image, patient, *rest in rows:
                name = image.replace("images/", f"images/{copy}-")
                os.link(folder / image, folder / name)
                writer.writerow([name, f"{patient}-{copy}", *rest])
    return folder


def test_several_workers_say_the_same_to_the_bit(acuity, tmp_path):  # noqa: F811
    write_bundle(tmp_path, CENTRE)
    data = write_set(tmp_path / "data")

    answers = []
    for workers in (1, 3):
        out = tmp_path / f"out{workers}"
        code, document, _ = acuity(
            "validate", "run", "--bundle", "tiny", "--data", data, "--out", out, "--workers", workers
        )
        assert (code, document["environment"]["workers"]) == (0, workers)
        answers.append((out / "predictions.csv").read_bytes())

    assert answers[0] == answers[1]
    assert answers[0].count(b"answered") == 2 * 60
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundles", "data", "home", "out1", "out3"]


@pytest.mark.timeout(240)
def test_a_suite_finds_the_same_with_several_workers(acuity, suite, tmp_path):  # noqa: F811
    write_bundle(tmp_path, CENTRE)
    data = write_set(tmp_path / "data")

    one, two = (
        acuity("validate", "suite", suite, "--data", data, "--out", tmp_path / f"out{workers}", "--workers", workers)[1]
        for workers in (1, 2)
    )

    for part in ("leakage", "subgroups", "robustness", "probes", "gate"):
        assert one["parts"][part] == two["parts"][part], part
    assert one["criteria"] == two["criteria"]


def test_a_broken_image_is_bad_input_of_a_worker_too_and_leaves_nothing(acuity, tmp_path):  # noqa: F811
    write_bundle(tmp_path, CENTRE)
    data = write_set(tmp_path / "data")
    (data / "images/31.png").write_bytes(b"no image")

    code, _, told = acuity(
        "validate", "run", "--bundle", "tiny", "--data", data, "--out", tmp_path / "out", "--workers", 2
    )

    # On a slow machine lines of progress come before it.
    assert (code, "images/31.png" in told.splitlines()[-1], "Traceback" in told) == (2, True, False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundles", "data", "home"]


def test_a_worker_that_is_lost_while_questions_are_handed_out_is_told(tmp_path):
    write_bundle(tmp_path, CENTRE)
    dataset = load_dataset(write_set(tmp_path / "data"))
    subject = Subject(load_bundle(tmp_path / "bundles/tiny"), dataset, header_of_file, POLICIES["cpu"], 1)

    def questions() -> Iterator[Question]:
        yield Question(dataset.studies[0], None)
        for worker in multiprocessing.active_children():
            worker.kill()
        # The thread that looks after the workers ends when it has seen it.
        for thread in threading.enumerate():
            if thread not in before:
                thread.join()
        yield Question(dataset.studies[1], None)

    before = threading.enumerate()

    with (
        closing(AnsweringProcesses(subject, with_members=False, workers=1)) as processes,
        pytest.raises(WorkerLost, match="ask again to go on"),
    ):
        list(processes.answered(questions(), dataset, None))


def test_a_number_of_workers_that_makes_no_sense_is_refused(acuity, tmp_path):  # noqa: F811
    with pytest.raises(SystemExit) as ended:
        acuity("validate", "run", "--bundle", "tiny", "--data", tmp_path, "--out", tmp_path / "out", "--workers", 0)

    assert ended.value.code == 2


@pytest.mark.timeout(240)
def test_a_killed_run_goes_on_where_it_was_and_its_workers_end(tmp_path, home):  # noqa: F811
    write_bundle(tmp_path, CENTRE)
    data, out = write_large_set(tmp_path / "data"), tmp_path / "out"
    command = ["validate", "run", "--bundle", "tiny", "--data", data, "--out", out, "--workers", "2"]
    running = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", *map(str, command)],
        cwd=ROOT,
        env={**os.environ, "ACUITY_HOME": str(home)},
        stderr=subprocess.DEVNULL,
    )
    answers = tmp_path / ".out.answers"
    while not (lines := [line for file in answers.glob("*") for line in file.read_bytes().splitlines()]):
        assert running.poll() is None
        time.sleep(0.01)
    workers = children_of(running.pid)
    running.kill()
    running.wait()

    kept = sum(file.read_bytes().count(b"\n") for file in answers.glob("*"))
    told: list[tuple[int, int]] = []
    bundle = load_bundle(tmp_path / "bundles/tiny")
    request = ValidationRequest(bundle, data, out, "cpu", 1, datetime.now(UTC))
    validate(request, header_of_file, lambda done, total: told.append((done, total)))
    whole = ValidationRequest(bundle, data, tmp_path / "whole", "cpu", 1, datetime.now(UTC))
    validate(whole, header_of_file, lambda _done, _total: None)

    assert 0 < len(lines) <= kept < 60 * COPIES
    assert told[0] == (kept, 60 * COPIES)
    assert (out / "predictions.csv").read_bytes() == (tmp_path / "whole/predictions.csv").read_bytes()
    assert not answers.exists()
    assert len(workers) >= 2
    while any(Path(f"/proc/{one}/exe").exists() for one in workers):
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
