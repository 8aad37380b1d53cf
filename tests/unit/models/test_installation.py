"""A zip file from anywhere becomes an installed bundle, or nothing: refused with its reason, and no trace left."""

import json
import pickle
import stat
import zipfile
from pathlib import Path

import pytest

from models import installation
from models.archive import ArchiveLimits, unpack_bundle
from models.bundle import Bundle
from models.installation import install_bundle
from tests.unit.models.test_bundle import write_bundle
from triage.errors import InvalidBundle, TooBusy


def run_nothing(_: Bundle) -> None:
    """Try out a model whose network is not the matter of the test."""


def files_of(folder: Path, under: str = "") -> dict[str, bytes]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {f"{under}{path.relative_to(folder).as_posix()}": path.read_bytes() for path in paths}


def write_zip(path: Path, files: dict[str, bytes], *links: tuple[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for name, target in links:
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, target)
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    return files_of(write_bundle(tmp_path / "made"))


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name != ".lock"] if folder.is_dir() else []


def refused(tmp_path: Path, files: dict[str, bytes], *links: tuple[str, str]) -> str:
    """Install what must be refused, and return why; nothing is left, inside the folder or outside of it."""
    archive = write_zip(tmp_path / "bundle.zip", files, *links)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(InvalidBundle) as raised:
        install_bundle(archive, tmp_path / "models", run_nothing)
    assert set(tmp_path.rglob("*")) - before <= {tmp_path / "models", tmp_path / "models" / ".lock"}
    return str(raised.value)


@pytest.mark.parametrize("under", ["", "a-model/", "Some Folder/"])
def test_a_bundle_is_placed_under_its_name_version_and_digest(tmp_path, files, under):
    archive = write_zip(tmp_path / "b.zip", {f"{under}{name}": content for name, content in files.items()})

    bundle = install_bundle(archive, tmp_path / "models", run_nothing)

    assert bundle.folder == tmp_path / "models" / "a-model" / f"1.0.0-{bundle.identity.digest[:12]}"
    assert files_of(bundle.folder) == files
    assert all(not path.stat().st_mode & 0o222 for path in bundle.folder.rglob("*") if path.is_file())
    assert left_in(tmp_path / "models") == ["a-model"]


def test_a_bundle_that_nobody_sealed_is_sealed(tmp_path, files):
    del files["configs/digests.json"]

    bundle = install_bundle(write_zip(tmp_path / "b.zip", files), tmp_path / "models", run_nothing)

    listed = json.loads((bundle.folder / "configs/digests.json").read_text())["sha256"]
    assert listed.keys() == files.keys()


def test_the_same_bundle_again_is_the_one_that_is_there(tmp_path, files):
    archive = write_zip(tmp_path / "b.zip", files)

    first = install_bundle(archive, tmp_path / "models", run_nothing)
    again = install_bundle(archive, tmp_path / "models", run_nothing)

    assert again == first


def test_what_a_desktop_adds_is_left_out(tmp_path, files):
    clutter = {"a-model/.DS_Store": b"x", "__MACOSX/a-model/._LICENSE": b"x"}
    archive = write_zip(tmp_path / "b.zip", {f"a-model/{name}": content for name, content in files.items()} | clutter)

    assert files_of(install_bundle(archive, tmp_path / "models", run_nothing).folder) == files


def test_a_file_that_is_not_the_sealed_one_is_named(tmp_path, files):
    assert "a-model/models/model.onnx: SHA-256" in refused(tmp_path, files | {"models/model.onnx": b"\x3a\x00"})


@pytest.mark.parametrize(
    "name", ["../outside", "a/../../outside", "/outside", "..\\outside", "C:/x", "a//b", "./a", "a/\x1b[2J", "x" * 200]
)
def test_a_name_that_leads_outside_is_refused(tmp_path, files, name):
    assert "needed a name inside the bundle" in refused(tmp_path, files | {name: b"x"})


def test_a_link_is_refused(tmp_path, files):
    assert "'docs/link': symbolic link, needed a file" in refused(tmp_path, files, ("docs/link", "/etc/passwd"))


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pkl", ".ts", ".PTH", ".ckpt", ".joblib"])
def test_a_pickle_is_refused_by_its_name(tmp_path, files, suffix):
    assert "a pickle runs code when it is loaded, needed ONNX" in refused(
        tmp_path, files | {f"models/model{suffix}": b"x"}
    )


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_refused_by_what_is_in_it(tmp_path, files, protocol):
    content = pickle.dumps({"weights": [1.0, 2.0]}, protocol=protocol)

    assert "'models/weights.bin': holds a pickle" in refused(tmp_path, files | {"models/weights.bin": content})


def test_an_archive_in_the_archive_is_refused(tmp_path, files):
    inner = write_zip(tmp_path / "inner.zip", {"data.txt": b"x"}).read_bytes()

    assert "holds a pickle or an archive" in refused(tmp_path, files | {"models/weights": inner})


def test_two_names_that_some_file_systems_take_for_one_are_refused(tmp_path, files):
    assert "licence: twice in the archive" in refused(tmp_path, files | {"Licence": b"x", "licence": b"y"})


def test_weights_outside_the_bundle_are_refused(tmp_path, files):
    onnx = pytest.importorskip("onnx")
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../../secret")
    graph = onnx.helper.make_graph([], "g", [], [], initializer=[tensor])
    model = onnx.helper.make_model(graph).SerializeToString()
    del files["configs/digests.json"]

    assert "external data in '../../../secret', needed a file inside" in refused(
        tmp_path, files | {"models/model.onnx": model}
    )


def test_what_is_no_zip_or_is_not_there_is_refused(tmp_path):
    (tmp_path / "text.zip").write_text("no zip")

    with pytest.raises(InvalidBundle, match=r"text.zip: File is not a zip file, needed a zip file with a bundle"):
        install_bundle(tmp_path / "text.zip", tmp_path / "models", run_nothing)
    with pytest.raises(InvalidBundle, match=r"absent.zip: no such file"):
        install_bundle(tmp_path / "absent.zip", tmp_path / "models", run_nothing)


def test_a_damaged_archive_is_refused(tmp_path, files):
    archive = write_zip(tmp_path / "b.zip", files | {"docs/notes.txt": b"the quick brown fox " * 50})
    content = bytearray(archive.read_bytes())
    start = content.index(b"docs/notes.txt") + len("docs/notes.txt")
    content[start : start + 8] = b"\xff" * 8
    archive.write_bytes(content)

    with pytest.raises(InvalidBundle, match="needed a zip file with a bundle"):
        install_bundle(archive, tmp_path / "models", run_nothing)
    assert left_in(tmp_path / "models") == []


def test_an_archive_without_a_bundle_is_refused(tmp_path):
    assert "configs/triage.json: cannot be read" in refused(tmp_path, {"notes.txt": b"x"})
    assert "holds no files" in refused(tmp_path, {})


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (ArchiveLimits(files=3), "holds 4 files, at most 3"),
        (ArchiveLimits(total_bytes=3_999_999), r"unpacks to 0\.0 GB, at most 0\.0"),
    ],
)
def test_too_many_files_and_too_many_bytes_are_refused_before_anything_is_written(tmp_path, limits, why):
    archive = write_zip(tmp_path / "b.zip", {str(number): b"\0" * 1_000_000 for number in range(4)})

    with pytest.raises(InvalidBundle, match=why):
        unpack_bundle(archive, tmp_path / "out", limits)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_longer_than_it_says_is_refused(tmp_path):
    archive = write_zip(tmp_path / "bomb.zip", {"weights": b"\0" * 5_000_000})
    lying = archive.read_bytes().replace((5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    archive.write_bytes(lying)

    with pytest.raises(InvalidBundle):
        unpack_bundle(archive, tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*")) <= 10


def test_a_model_that_does_not_run_leaves_nothing(tmp_path, files):
    def fail(bundle: Bundle) -> None:
        raise InvalidBundle(f"{bundle.identity.name}: input float64, needed float32")

    with pytest.raises(InvalidBundle, match="a-model: input float64"):
        install_bundle(write_zip(tmp_path / "b.zip", files), tmp_path / "models", fail)
    assert left_in(tmp_path / "models") == []


def test_an_interrupted_installation_leaves_nothing(tmp_path, files, monkeypatch):
    def interrupt(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(installation, "_make_durable", interrupt)

    with pytest.raises(KeyboardInterrupt):
        install_bundle(write_zip(tmp_path / "b.zip", files), tmp_path / "models", run_nothing)
    assert left_in(tmp_path / "models") == []


def test_what_a_killed_installation_left_goes_with_the_next_one(tmp_path, files):
    (tmp_path / "models/.installing-dead/bundle").mkdir(parents=True)
    (tmp_path / "models/.installing-dead/bundle/LICENSE").write_text("half")

    install_bundle(write_zip(tmp_path / "b.zip", files), tmp_path / "models", run_nothing)

    assert left_in(tmp_path / "models") == ["a-model"]


def test_one_installation_at_a_time(tmp_path, files):
    archive = write_zip(tmp_path / "b.zip", files)

    def install_another(_: Bundle) -> None:
        install_bundle(archive, tmp_path / "models", run_nothing)

    with pytest.raises(TooBusy, match="another installation is under way"):
        install_bundle(archive, tmp_path / "models", install_another)
