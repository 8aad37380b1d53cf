"""A folder is there completely or not at all."""

import pytest

from triage.errors import InvalidDataset
from validation.written_whole import written_whole


def never(_folder) -> bool:
    return False


def always(_folder) -> bool:
    return True


def test_the_folder_appears_at_the_end(tmp_path):
    with written_whole(tmp_path / "deep" / "out", never) as unfinished:
        (unfinished / "file").write_text("whole")
        assert not (tmp_path / "deep" / "out").exists()

    assert (tmp_path / "deep" / "out" / "file").read_text() == "whole"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_after_an_error_the_earlier_result_is_still_there_and_nothing_else(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "file").write_text("earlier")

    with pytest.raises(RuntimeError, match="half way"), written_whole(out, always) as unfinished:
        (unfinished / "file").write_text("half")
        raise RuntimeError("half way")

    assert (out / "file").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()

    with written_whole(tmp_path / "out", never) as unfinished:
        (unfinished / "file").write_text("whole")

    assert (tmp_path / "out" / "file").exists()


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "out").write_text("mine")

    with (
        pytest.raises(InvalidDataset, match="out: a file, needed a new or an empty folder"),
        written_whole(tmp_path / "out", always),
    ):
        pass

    assert (tmp_path / "out").read_text() == "mine"


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")

    with written_whole(tmp_path / "out", never) as unfinished:
        (unfinished / "file").write_text("whole")

    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "real" / "file").read_text() == "whole"
