"""Bundles: complete or refused, with a digest over every file; the registry knows each name once."""

import hashlib
import json
from pathlib import Path

import pytest

from models.bundle import load_bundle
from models.integrity import bundle_digest, file_digests
from models.registry import find_bundle, installed_bundles
from tests.unit.models.test_triage_spec import SOUND
from triage.errors import InvalidBundle


def write_bundle(folder: Path, name: str = "a-model") -> Path:
    bundle = folder / name
    for part in ("configs", "models", "docs"):
        (bundle / part).mkdir(parents=True)
    (bundle / "configs/triage.json").write_text(json.dumps(SOUND | {"name": name}), encoding="utf-8")
    (bundle / "configs/metadata.json").write_text('{"version": "1.0.0"}', encoding="utf-8")
    (bundle / "models/model.onnx").write_bytes(b"weights")
    (bundle / "docs/README.md").write_text("card", encoding="utf-8")
    (bundle / "LICENSE").write_text("licence", encoding="utf-8")
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

    with pytest.raises(InvalidBundle, match=r"version: found 1.0.1, needed 1.0.0"):
        load_bundle(bundle)


def test_a_bundle_is_called_like_its_folder(tmp_path: Path) -> None:
    renamed = write_bundle(tmp_path).rename(tmp_path / "another")

    with pytest.raises(InvalidBundle, match="name: found a-model, needed another"):
        load_bundle(renamed)


def test_the_registry_lists_shipped_bundles_and_those_of_an_extra_folder(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    (tmp_path / ".hidden").mkdir()

    names = [bundle.identity.name for bundle in installed_bundles(tmp_path)]

    assert names == sorted([*(bundle.identity.name for bundle in installed_bundles()), "a-model"])


def test_a_name_may_be_there_once_only(tmp_path: Path) -> None:
    write_bundle(tmp_path, "ct-head-haemorrhage")

    with pytest.raises(InvalidBundle, match=r"ct-head-haemorrhage: in .* and in .*, needed once"):
        installed_bundles(tmp_path)


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    write_bundle(tmp_path)

    with pytest.raises(InvalidBundle, match=r"nothing: no such bundle, needed one of a-model, ct-head-haemorrhage"):
        find_bundle("nothing", tmp_path)


def test_an_extra_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle, match="not a folder"):
        installed_bundles(tmp_path / "nowhere")
