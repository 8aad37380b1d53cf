"""Validations that workers of the platform answer: as one process would, live studies first, no answer for nobody."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from deploy.bundles import bundle_called
from deploy.jobs import open_queue
from deploy.platform_answers import PlatformWorkers
from deploy.settings import read_settings
from deploy.validation_worker import MOST_ATTEMPTS, ValidationWorker, add_task
from storage.validation_work import BATCH_STUDIES, ValidationWork, validations_under_way
from storage.work_queue import VALIDATION_QUEUE
from tests.integration.test_jobs import work_once
from tests.integration.test_validation_suite import (
    CENTRE,
    acuity,  # noqa: F401
    home,  # noqa: F401
    suite,  # noqa: F401
    write_bundle,
    write_set,
)
from triage.errors import InvalidDataset, NotAnswered, WorkerStops
from validation.datasets import load_dataset

ROOT = Path(__file__).parents[2]


@pytest.fixture
def platform(tmp_path, home, database_url):  # noqa: F811
    """The folder of a data set, with a bundle for it, where the settings name a database."""
    write_bundle(tmp_path, CENTRE)
    settings = home / "acuity.toml"
    settings.write_text(f'{settings.read_text()}[database]\nurl = "{database_url}"\n')
    return write_set(tmp_path / "data")


@pytest.fixture
def workers(home):  # noqa: F811
    """Return a function that starts a worker as a process of its own; all end with the test."""
    started = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "deploy.cli", "work", "--queue", "validation"]
        environ = {**os.environ, "ACUITY_HOME": str(home)}
        started.append(subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait()


@pytest.fixture
def work(engine) -> ValidationWork:
    return ValidationWork(engine)


@pytest.fixture
def asked(platform, work):
    """The number of a validation that asks about two batches of studies, and their names."""
    return ask(platform, work, 2 * BATCH_STUDIES)


def ask(platform: Path, work: ValidationWork, count: int) -> tuple[int, list[str]]:
    dataset, model = load_dataset(platform), bundle_called("tiny", read_settings()).identity
    studies = [one.study for one in dataset.studies[:count]]
    return work.begin(PlatformWorkers(work, model, "cpu", 1).asked_about(dataset), studies), studies


def answered(engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT study FROM validation_answers ORDER BY study")).scalars())


def live_study(engine, is_there: bool) -> None:
    """Have a study wait for its analysis, or have it analysed."""
    with engine.begin() as connection:
        if is_there:
            job = "ARRAY[ROW('triage', 'triage_study', 0, NULL, NULL, '{}'::jsonb, NULL)]"
            connection.execute(text(f"SELECT procrastinate_defer_jobs_v1({job}::procrastinate_job_to_defer_v1[])"))
        else:
            connection.execute(text("DELETE FROM procrastinate_jobs WHERE queue_name = 'triage'"))


@pytest.mark.timeout(240)
def test_workers_of_the_platform_say_what_one_process_says(acuity, platform, workers, tmp_path):  # noqa: F811
    for _ in range(2):
        workers()

    documents, predictions = [], []
    for name, options in (("here", ()), ("there", ("--on-platform",))):
        out = tmp_path / name
        code, document, _ = acuity("validate", "run", "--bundle", "tiny", "--data", platform, "--out", out, *options)
        assert (code, json.loads((out / "result.json").read_text())) == (0, document)
        documents.append(document)
        predictions.append((out / "predictions.csv").read_bytes())

    assert predictions[0] == predictions[1]
    assert predictions[0].count(b"answered") == 2 * 60
    for one in documents:
        assert one.pop("environment")["on_platform"] is (one is documents[1])
        one["images_per_s"] = one["measured_at"] = None
    assert documents[0] == documents[1]


@pytest.mark.timeout(240)
def test_a_suite_on_the_platform_finds_the_same(acuity, suite, platform, workers, tmp_path, engine):  # noqa: F811
    workers()

    here, there = (
        acuity("validate", "suite", suite, "--data", platform, "--out", tmp_path / name, *options)[1]
        for name, options in (("here", ()), ("there", ("--on-platform",)))
    )

    for part in ("leakage", "subgroups", "robustness", "probes", "gate"):
        assert here["parts"][part] == there["parts"][part], part
    assert here["criteria"] == there["criteria"]
    assert answered(engine) == []


def test_a_live_study_that_arrives_meanwhile_is_analysed_first(asked, work, engine):
    number, studies = asked
    looks: list[list[str]] = []

    class OneThenALiveStudy(ValidationWork):
        def record(self, number, study, answer):
            super().record(number, study, answer)
            if len(answered(engine)) == 1:
                live_study(engine, is_there=True)

    def is_stopping() -> bool:
        """Look before each study, and again and again while it waits; the fourth look follows three of waiting."""
        looks.append(answered(engine))
        if looks[-4:] == [[studies[0]]] * 4:
            live_study(engine, is_there=False)
        return False

    ValidationWorker(OneThenALiveStudy(engine), read_settings()).answer(number, studies, is_stopping)

    assert looks[:5] == [[], *[[studies[0]]] * 4]
    assert answered(engine) == sorted(studies)


def test_a_live_study_whose_time_has_not_come_holds_nothing_up(asked, work, engine):
    number, studies = asked
    live_study(engine, is_there=True)
    with engine.begin() as connection:
        connection.execute(text("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour'"
                                " WHERE queue_name = 'triage'"))  # fmt: skip

    looks = []
    ValidationWorker(work, read_settings()).answer(number, studies, lambda: looks.append(1))

    assert (len(looks), answered(engine)) == (len(studies), sorted(studies))


@pytest.mark.parametrize("live", [True, False])
def test_a_worker_that_stops_leaves_the_batch_to_others(asked, work, engine, live):
    number, studies = asked
    work.record(number, studies[0], "{}")
    live_study(engine, is_there=live)

    with pytest.raises(WorkerStops):
        ValidationWorker(work, read_settings()).answer(number, studies, lambda: True)

    assert answered(engine) == [studies[0]]


def test_jobs_stand_behind_all_others_and_each_answer_is_given_once(asked, work, database_url, engine):
    number, studies = asked
    work.record(number, studies[1], '{"kept": true}')
    queue = open_queue(database_url)
    add_task(queue, ValidationWorker(work, read_settings()))
    with engine.connect() as connection:
        jobs = connection.execute(text("SELECT queue_name, priority FROM procrastinate_jobs")).all()
    assert jobs == [(VALIDATION_QUEUE, -100)] * 2

    work_once(queue, VALIDATION_QUEUE)
    (first, *_), again = work.fetch(number), work.fetch(number)

    assert answered(engine) == sorted(studies)
    assert (first, again) == ('{"kept": true}', [])


def test_an_answer_that_nobody_waits_for_is_not_given(asked, work, engine):
    number, studies = asked
    work.end(number)
    worker = ValidationWorker(work, read_settings())

    worker.answer(number, studies, lambda: False)
    work.record(number, studies[0], "{}")

    assert answered(engine) == []


def pass_by(engine, seconds: int) -> None:
    """Let so many seconds pass since answers were fetched."""
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE running_validations SET awaited_at = now() - interval '{seconds} seconds'"))


def test_what_nobody_fetches_any_more_is_forgotten(asked, platform, work, engine):
    number, studies = asked
    work.record(number, studies[0], "{}")
    (before,) = validations_under_way(engine)
    pass_by(engine, 121)

    ValidationWorker(work, read_settings()).answer(number, studies[1:], lambda: False)
    shown, kept = validations_under_way(engine), answered(engine)
    other, _ = ask(platform, work, 1)

    assert (before.model.name, before.dataset, before.n_studies, before.n_answered) == ("tiny", "drawn_breasts", 8, 1)
    assert (shown, kept, answered(engine)) == ([], [studies[0]], [])
    assert work.fetch(other) == []


def test_who_fetches_too_late_is_told_before_a_worker_lets_a_batch_go(asked, work, engine):
    number, studies = asked
    pass_by(engine, 61)

    ValidationWorker(work, read_settings()).answer(number, studies[:1], lambda: False)

    assert answered(engine) == [studies[0]]
    with pytest.raises(NotAnswered, match="nobody fetched answers for a minute"):
        work.fetch(number)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ("version", NotAnswered, r"a worker has numpy \d+.*, needed 0\.1 as where it was started"),
        ("data", NotAnswered, "a worker finds the digest [0-9a-f]{64} in .*, needed [0-9a-f]{64}"),
        ("image", InvalidDataset, r"images/0\.png"),
        ("folder", NotAnswered, "a worker does not see the data set: .*data: no such folder"),
        ("bundle", NotAnswered, "a worker cannot answer: tiny@.*: no such bundle"),
    ],
)
def test_a_worker_that_is_not_like_its_asker_ends_the_validation_and_says_why(
    platform, work, database_url, engine, changed, error, message, tmp_path
):
    if changed == "image":
        (platform / "images/0.png").write_bytes(b"no image")
    number, _ = ask(platform, work, 1)
    if changed == "version":
        with engine.begin() as connection:
            connection.execute(text("""UPDATE running_validations SET versions = versions || '{"numpy": "0.1"}'"""))
    if changed == "data":
        (platform / "labels.csv").write_text((platform / "labels.csv").read_text().replace("p59", "p58"))
    if changed == "folder":
        platform.rename(tmp_path / "elsewhere")
    if changed == "bundle":
        (tmp_path / "bundles/tiny").rename(tmp_path / "bundles/small")
    queue = open_queue(database_url)
    add_task(queue, ValidationWorker(work, read_settings()))

    work_once(queue, VALIDATION_QUEUE)

    with pytest.raises(error, match=message):
        work.fetch(number)


def test_a_batch_that_ends_its_worker_again_and_again_is_given_up(asked, work, database_url, engine):
    number, studies = asked
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE procrastinate_jobs SET attempts = {MOST_ATTEMPTS}"))
    queue = open_queue(database_url)
    add_task(queue, ValidationWorker(work, read_settings()))

    work_once(queue, VALIDATION_QUEUE)

    with pytest.raises(NotAnswered, match=f"studies {', '.join(studies[:4])}: given up after 5 attempts"):
        work.fetch(number)


def test_without_a_platform_and_on_another_device_it_is_one_line(acuity, tmp_path, home, platform):  # noqa: F811
    options = ("validate", "run", "--bundle", "tiny", "--data", platform, "--out", tmp_path / "out", "--on-platform")

    other_device = acuity(*options, "--device", "cuda")
    (home / "acuity.toml").write_text((home / "acuity.toml").read_text().split("[database]")[0])
    no_platform = acuity(*options)

    for code, _, told in (other_device, no_platform):
        assert (code, told.count("\n")) == (2, 1)
    assert "--device: found cuda, needed cpu: inference.device of the platform" in other_device[2]
    assert "no platform runs here, needed `acuity up` or database.url" in no_platform[2]
    assert not (tmp_path / "out").exists()
