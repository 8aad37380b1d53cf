"""The registry on a real database: one active model for each task, whoever asks at the same time, and its history."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from deploy.bundles import load_registered, problems_of, register_at_start, register_found
from deploy.serving import ActiveModels
from deploy.settings import Settings, SettingsFile, read_settings
from inference.analyser import BundleAnalyser
from inference.runtime import ProviderPolicy
from models.integrity import seal
from models.lifecycle import Decision, ModelAction, ModelRecord, ModelState
from models.registry import Origin
from storage.database import connect
from storage.model_registry import ModelRows
from tests.builders import HEAD_CT
from tests.unit.models.test_bundle import write_bundle
from triage.errors import InvalidBundle, ModelStateNotAllowed, StoreUnavailable
from triage.findings import ModelIdentity
from triage.identifiers import SeriesInstanceUid
from triage.study import Series, SeriesHeader

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
ACTIVE, DRAFT, RETIRED, SHADOW = ModelState.ACTIVE, ModelState.DRAFT, ModelState.RETIRED, ModelState.SHADOW
NO_IMAGES = Series(SeriesHeader(SeriesInstanceUid("1.2.3"), modality="CT"), "", (), ())


def decided(why: str = "", by: str = "ann") -> Decision:
    return Decision(by, NOW + timedelta(seconds=len(why)), why)


def record(version: str, origin: Origin = Origin.INSTALLED, task: str = "bleeding") -> ModelRecord:
    identity = ModelIdentity("head", version, f"{sum(map(ord, version)):064x}")
    return ModelRecord(identity, task, "CC0", origin, f"/models/{version}", (("LICENSE", "0" * 64),), HEAD_CT)


@pytest.fixture
def rows(engine):
    return ModelRows(engine)


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Settings whose folder of bundles holds a sealed bundle called "a-model"."""
    write_bundle(tmp_path / "bundles")
    file = SettingsFile.model_validate({"inference": {"bundles": str(tmp_path / "bundles")}})
    return replace(read_settings(environment={"ACUITY_HOME": str(tmp_path / "home")}), file=file)


def states(rows: ModelRows) -> dict[str, ModelState]:
    return {one.record.identity.version: one.state for one in rows.all()}


def activate(rows: ModelRows, version: str, why: str = "", action: ModelAction = ModelAction.ACTIVATE):
    model = next(one for one in rows.all() if one.record.identity.version == version)
    return rows.move(model.id, ACTIVE, action, decided(why))


def test_what_is_registered_is_read_back_as_it_was(rows):
    (added,) = rows.register([record("1.0.0")], decided())

    assert rows.all() == (added,)
    assert (added.record, added.state, added.registered_at) == (record("1.0.0"), DRAFT, NOW)


def test_registering_again_changes_nothing_but_the_place(rows):
    rows.register([record("1.0.0")], decided())
    moved = replace(record("1.0.0"), folder="/elsewhere")

    assert rows.register([moved], decided("again")) == ()
    assert [one.record for one in rows.all()] == [moved]
    assert len(rows.history()) == 1


def test_activating_retires_the_earlier_one_and_both_stand_in_the_history(rows):
    rows.register([record("1.0.0"), record("2.0.0")], decided())
    activate(rows, "1.0.0")

    displaced = activate(rows, "2.0.0", "fewer misses")

    assert displaced is not None
    assert displaced.record.identity.version == "1.0.0"
    assert states(rows) == {"1.0.0": RETIRED, "2.0.0": ACTIVE}
    last = [(one.model.version, one.action, one.before, one.after, one.decision.by) for one in rows.history()[-2:]]
    assert last == [
        ("1.0.0", ModelAction.RETIRE, ACTIVE, RETIRED, "ann"),
        ("2.0.0", ModelAction.ACTIVATE, DRAFT, ACTIVE, "ann"),
    ]
    assert rows.history()[-1].decision == decided("fewer misses")
    assert rows.history()[-2].decision.why.endswith("took its place: fewer misses")


def test_models_of_other_tasks_stay_active(rows):
    rows.register([record("1.0.0"), record("2.0.0", task="fracture")], decided())
    activate(rows, "1.0.0")
    activate(rows, "2.0.0")

    assert states(rows) == {"1.0.0": ACTIVE, "2.0.0": ACTIVE}


def test_the_database_holds_no_second_active_model_of_one_task(rows, engine):
    rows.register([record("1.0.0"), record("2.0.0")], decided())
    activate(rows, "1.0.0")

    with pytest.raises(IntegrityError, match="models_one_active_for_each_task"), engine.begin() as connection:
        connection.execute(text("UPDATE models SET state = 'active'"))


def test_of_many_who_activate_at_once_one_is_active_in_the_end(rows):
    versions = [f"{number}.0.0" for number in range(6)]
    rows.register([record(version) for version in versions], decided())
    threads = [threading.Thread(target=activate, args=(rows, version)) for version in versions]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(states(rows).values()) == sorted([ACTIVE, *[RETIRED] * 5])


def test_a_step_that_is_not_allowed_changes_nothing(rows):
    (draft,) = rows.register([record("1.0.0")], decided())
    rows.move(draft.id, RETIRED, ModelAction.RETIRE, decided())

    with pytest.raises(ModelStateNotAllowed, match="is retired, may become active or shadow"):
        rows.move(draft.id, RETIRED, ModelAction.RETIRE, decided())
    assert len(rows.history()) == 2


def test_rolling_back_goes_to_the_one_before_and_then_to_the_one_before_that(rows):
    rows.register([record("1.0.0"), record("2.0.0"), record("3.0.0")], decided())
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        activate(rows, version)

    for expected in ("2.0.0", "1.0.0"):
        target = rows.before("bleeding")
        rows.move(target.id, ACTIVE, ModelAction.ROLLBACK, decided())
        assert target.record.identity.version == expected

    assert states(rows) == {"1.0.0": ACTIVE, "2.0.0": RETIRED, "3.0.0": RETIRED}
    with pytest.raises(ModelStateNotAllowed, match="bleeding: no model was active before"):
        rows.before("bleeding")


def test_a_database_of_an_older_version_says_what_to_do(postgres_url):
    engine = connect(postgres_url)

    with pytest.raises(StoreUnavailable, match="its schema is too old, needed: `acuity migrate`"):
        ModelRows(engine).all()
    engine.dispose()


def test_on_the_first_start_shipped_bundles_and_those_of_the_folder_are_active(rows, settings):
    found = register_found(rows, settings)

    assert {one.record.identity.name for one in found.added} >= {"a-model", "ct-head-haemorrhage"}
    assert {one.state for one in found.added} == {ACTIVE}
    assert register_found(rows, settings).added == ()


def test_an_upgrade_takes_over_and_other_files_under_one_version_do_not(rows, settings):
    folder = Path(settings.file.inference.bundles)
    register_found(rows, settings)
    (folder / "a-model").rename(folder / ".old")
    write_bundle(folder, version="1.1.0")
    register_found(rows, settings)
    after_upgrade = {one.record.identity.version: one.state for one in rows.all() if one.record.task == "something"}
    (folder / "a-model/LICENSE").write_text("another licence")
    seal(folder / "a-model")
    register_found(rows, settings)

    now = [(one.record.identity.version, one.state) for one in rows.all() if one.record.task == "something"]
    assert after_upgrade == {"1.0.0": RETIRED, "1.1.0": ACTIVE}
    assert now == [("1.0.0", RETIRED), ("1.1.0", ACTIVE), ("1.1.0", DRAFT)]


def test_a_changed_file_is_named_even_where_the_bundle_was_sealed_again(rows, settings):
    register_found(rows, settings)
    folder = Path(settings.file.inference.bundles) / "a-model"
    (folder / "docs/README.md").write_text("a better card")
    seal(folder)

    (model,) = [one for one in rows.active() if one.record.identity.name == "a-model"]

    assert len(problems_of(model, settings)) == 1
    assert problems_of(model, settings)[0].startswith("docs/README.md: SHA-256 ")
    with pytest.raises(InvalidBundle, match=r"a-model@1\.0\.0-.{12}: docs/README.md: SHA-256 .*, needed "):
        load_registered(model, settings)


def test_a_broken_bundle_stops_the_first_start_and_no_later_one(rows, settings):
    folder = Path(settings.file.inference.bundles) / "a-model"
    card = (folder / "docs/README.md").read_bytes()
    (folder / "docs/README.md").write_bytes(b"a better card")

    with pytest.raises(InvalidBundle, match=r"a-model/docs/README.md: SHA-256"):
        register_at_start(rows, settings)
    (folder / "docs/README.md").write_bytes(card)
    register_at_start(rows, settings)
    (folder / "docs/README.md").write_bytes(b"a better card")
    register_at_start(rows, settings)

    assert [place.name for place, _ in register_found(rows, settings).broken] == ["a-model"]


def test_what_is_active_is_offered_from_the_next_study_on(rows, settings):
    register_found(rows, settings)
    serving = ActiveModels(settings, rows, BundleAnalyser((), ProviderPolicy.CPU_ONLY, threads=1))
    (model,) = [one for one in rows.active() if one.record.identity.name == "a-model"]

    before = {offer.identity for offer in serving.offers()}
    rows.move(model.id, SHADOW, ModelAction.SHADOW, decided())
    in_shadow = {offer.identity for offer in serving.offers()}
    rows.move(model.id, ACTIVE, ModelAction.ACTIVATE, decided())
    again = {offer.identity for offer in serving.offers()}

    assert before - in_shadow == {model.record.identity}
    assert again == before


def test_a_model_whose_file_was_changed_fails_its_studies_and_no_others(rows, settings):
    register_found(rows, settings)
    serving = ActiveModels(settings, rows, BundleAnalyser((), ProviderPolicy.CPU_ONLY, threads=1))
    (changed,) = [one for one in rows.active() if one.record.identity.name == "a-model"]
    (Path(changed.record.folder) / "models/model.onnx").write_bytes(b"\x08\x07")

    offers = [offer.identity for offer in serving.offers()]

    assert changed.record.identity in offers
    with pytest.raises(InvalidBundle, match=r"a-model@.*: models/model.onnx: SHA-256 .*, needed "):
        serving.analyse(changed.record.identity, NO_IMAGES)
    assert list(serving.problems()) == [changed.record.identity]
