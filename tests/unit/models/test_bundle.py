"""Bundles: complete or refused, with a digest over every file; the registry knows each name once."""

import hashlib
import json
from pathlib import Path

import pytest

from models.bundle import load_bundle
from models.integrity import bundle_digest, file_digests, seal
from models.registry import Origin, bundle_places, find_bundle, full_name
from tests.unit.models.test_triage_spec import SOUND
from triage.errors import InvalidBundle


def write_bundle(folder: Path, name: str = "a-model", version: str = "1.0.0") -> Path:
    """Write a sealed bundle whose network is the empty message: an ONNX model without a graph."""
    bundle = folder / name
    for part in ("configs", "models", "docs"):
        (bundle / part).mkdir(parents=True)
    (bundle / "configs/triage.json").write_text(
        json.dumps(SOUND | {"name": name, "version": version}), encoding="utf-8"
    )
    (bundle / "configs/metadata.json").write_text(json.dumps({"version": version}), encoding="utf-8")
    (bundle / "models/model.onnx").write_bytes(b"")
    (bundle / "docs/README.md").write_text("card", encoding="utf-8")
    (bundle / "LICENSE").write_text("licence", encoding="utf-8")
    seal(bundle)
    return bundle


def test_the_digest_is_one_sha256_over_sorted_paths_and_their_sha256(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b/two").write_bytes(b"2")
    (tmp_path / "a").write_bytes(b"1")
    one, two = hashlib.sha256(b"1").hexdigest(), hashlib.sha256(b"2").hexdigest()

    assert bundle_digest(tmp_path) == hashlib.sha256(f"a\t{one}\nb/two\t{two}\n".encode()).hexdigest()


@pytest.mark.parametrize("path", ["LICENSE", "docs/README.md", "models/model.onnx", "configs/metadata.json"])
def test_changing_any_file_changes_the_digest(tmp_path: Path, path: str) -> None:
    bundle = write_bundle(tmp_path)
    before = bundle_digest(bundle)

    with (bundle / path).open("ab") as file:
        file.write(b" ")

    assert bundle_digest(bundle) != before


def test_renaming_a_file_changes_the_digest(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path)
    before = bundle_digest(bundle)

    (bundle / "LICENSE").rename(bundle / "LICENCE")

    assert bundle_digest(bundle) != before


def test_compiled_python_is_no_part_of_a_bundle(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path)
    before = file_digests(bundle)

    (bundle / "configs/__pycache__").mkdir()
    (bundle / "configs/__pycache__/x.pyc").write_bytes(b"x")

    assert file_digests(bundle) == before


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path)
    (bundle / "models/extra").symlink_to("/etc/hostname")

    with pytest.raises(InvalidBundle, match="a-model/models/extra: symbolic link, needed a file"):
        load_bundle(bundle)


def test_an_empty_folder_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle, match="no files"):
        bundle_digest(tmp_path)


def test_a_loaded_bundle_says_who_it_is(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path)

    bundle = load_bundle(folder)

    assert (bundle.identity.name, bundle.identity.version) == ("a-model", "1.0.0")
    assert bundle.identity.digest == bundle_digest(folder)
    assert bundle.onnx_path == folder / "models/model.onnx"


@pytest.mark.parametrize("missing", ["LICENSE", "docs/README.md", "models/model.onnx", "configs/metadata.json"])
def test_a_bundle_without_one_of_its_files_is_refused(tmp_path: Path, missing: str) -> None:
    bundle = write_bundle(tmp_path)
    (bundle / missing).unlink()

    with pytest.raises(InvalidBundle, match=f"a-model/{missing}: absent, needed"):
        load_bundle(bundle)


def test_spec_and_metadata_must_agree_on_the_version(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path)
    (bundle / "configs/metadata.json").write_text('{"version": "1.0.1"}', encoding="utf-8")
    seal(bundle)

    with pytest.raises(InvalidBundle, match=r"version: found 1.0.1, needed 1.0.0"):
        load_bundle(bundle)


def test_a_bundle_is_called_like_its_folder(tmp_path: Path) -> None:
    renamed = write_bundle(tmp_path).rename(tmp_path / "another")

    with pytest.raises(InvalidBundle, match="name: found a-model, needed another"):
        load_bundle(renamed)


@pytest.mark.parametrize("path", ["LICENSE", "docs/README.md", "models/model.onnx", "configs/triage.json"])
def test_a_file_that_is_not_the_one_that_was_sealed_is_named(tmp_path: Path, path: str) -> None:
    bundle = write_bundle(tmp_path)
    with (bundle / path).open("ab") as file:
        file.write(b" ")

    with pytest.raises(InvalidBundle, match=rf"a-model/{path}: SHA-256 [0-9a-f]{{12}}…, needed [0-9a-f]{{12}}…"):
        load_bundle(bundle)


def test_a_file_that_was_not_sealed_and_one_that_is_gone_are_named(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path)
    (bundle / "docs/figure.png").write_bytes(b"png")
    seal(bundle)
    (bundle / "docs/figure.png").unlink()
    (bundle / "models/model.onnx.data").write_bytes(b"weights")

    with pytest.raises(InvalidBundle, match=r"a-model/docs/figure.png: absent, needed \(and 1 more\)"):
        load_bundle(bundle)
    (bundle / "docs/figure.png").write_bytes(b"png")
    with pytest.raises(InvalidBundle, match=r"a-model/models/model.onnx.data: not listed"):
        load_bundle(bundle)


def test_a_bundle_that_nobody_sealed_is_refused(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path)
    (bundle / "configs/digests.json").unlink()

    with pytest.raises(InvalidBundle, match=r"a-model/configs/digests.json: absent, needed; `acuity models seal"):
        load_bundle(bundle)


def test_a_list_of_digests_that_is_none_is_refused(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path)
    (bundle / "configs/digests.json").write_text('{"sha256": {"LICENSE": "abc"}}', encoding="utf-8")

    with pytest.raises(InvalidBundle, match=r'sha256.LICENSE: found "abc", needed 64 hexadecimal digits'):
        load_bundle(bundle)


def test_sealing_does_not_change_who_a_bundle_is(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path)
    before = bundle_digest(bundle)
    (bundle / "configs/digests.json").unlink()

    assert bundle_digest(bundle) == before


@pytest.mark.parametrize("name", ["../up", "two words", "x" * 65])
def test_a_name_that_could_not_stand_in_a_path_is_refused(tmp_path: Path, name: str) -> None:
    bundle = write_bundle(tmp_path)
    (bundle / "configs/triage.json").write_text(json.dumps(SOUND | {"name": name}), encoding="utf-8")
    seal(bundle)

    with pytest.raises(InvalidBundle, match="needed up to 64 letters, digits, - and _"):
        load_bundle(bundle, name)


def test_places_are_shipped_ones_those_of_an_extra_folder_and_installed_ones(tmp_path: Path) -> None:
    write_bundle(tmp_path / "extra")
    (tmp_path / "extra/.hidden").mkdir()
    (tmp_path / "installed/a-model").mkdir(parents=True)
    write_bundle(tmp_path / "new").rename(tmp_path / "installed/a-model/1.0.0-abc")

    places = bundle_places(tmp_path / "extra", tmp_path / "installed")

    assert [(one.name, one.origin) for one in places if one.name == "a-model"] == [
        ("a-model", Origin.FOLDER),
        ("a-model", Origin.INSTALLED),
    ]
    assert ("ct-head-haemorrhage", Origin.SHIPPED) in [(one.name, one.origin) for one in places]
    assert all(one.load().identity.name == one.name for one in places)


def test_a_name_may_be_shipped_or_in_the_extra_folder_but_not_both(tmp_path: Path) -> None:
    write_bundle(tmp_path, "ct-head-haemorrhage")

    with pytest.raises(InvalidBundle, match=r"ct-head-haemorrhage: in .* and in .*, needed once"):
        bundle_places(tmp_path)


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    write_bundle(tmp_path)

    with pytest.raises(InvalidBundle, match=r"nothing: no such bundle, needed one of a-model, ct-head-haemorrhage"):
        find_bundle("nothing", tmp_path)


def test_a_bundle_is_found_by_name_by_version_and_by_digest(tmp_path: Path) -> None:
    for version in ("1.0.0", "2.0.0"):
        (tmp_path / "a-model").mkdir(exist_ok=True)
        write_bundle(tmp_path / ".new", version=version).rename(tmp_path / "a-model" / version)
    second = find_bundle("a-model@2.0.0", installed_folder=tmp_path)

    assert second.spec.version == "2.0.0"
    assert find_bundle(f"a-model@{second.identity.digest[:8]}", installed_folder=tmp_path) == second
    assert find_bundle(full_name(second.identity), installed_folder=tmp_path) == second
    with pytest.raises(
        InvalidBundle, match=r"a-model: fits a-model@1\.0\.0-.*, a-model@2\.0\.0-.*, needed one of them"
    ):
        find_bundle("a-model", installed_folder=tmp_path)


def test_an_extra_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle, match="not a folder"):
        bundle_places(tmp_path / "nowhere")
