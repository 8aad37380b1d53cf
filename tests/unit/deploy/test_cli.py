"""The command line says what it wants, and its exit codes mean what the contract says."""

import pytest

from deploy.cli import main


def test_wrong_words_end_with_2(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["studies", "lisst"])

    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert "lisst" in told
    assert told.count("\n") == 1


def test_a_settings_file_that_is_not_there_ends_with_2_and_one_line(tmp_path, capsys):
    code = main(["studies", "list", "--config", str(tmp_path / "absent.toml")])

    told = capsys.readouterr()
    assert code == 2
    assert told.out == ""
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("queue wait --traffic nan --prevalence .1 --sensitivity .9 --specificity .9", "found 'nan', needed a number"),
        ("queue wait --traffic .8 --prevalence .1 --sensitivity .9 --specificity .9 --minutes-positive inf", "'inf'"),
        ("queue wait --traffic .8 --prevalence .1 --sensitivity .9 --specificity .9 --seed -1", "found '-1'"),
        ("drift design --chart cusum --k .5 --h 4 --shift nan", "found 'nan'"),
        ("drift design --chart cusum --k .5 --h 4 --within nan", "found 'nan'"),
        ("drift chart s.csv --chart cusum --k .5 --h 4 --mean nan --sd 1", "found 'nan'"),
        ("drift chart s.csv --chart cusum --k .5 --h 4 --mean 0 --sd inf", "found 'inf'"),
        ("drift label-free --reference r.csv --production p.csv --seed -1", "found '-1', needed a whole number"),
        ("deliveries list --limit -1", "found '-1', needed a whole number"),
        ("validate feedback --sample -1", "found '-1', needed a whole number"),
        ("simulate --scanner ct --studies -1", "found '-1', needed a whole number"),
        ("simulate --scanner ct --positive-rate 1.5", "found '1.5', needed a number from 0 to 1"),
    ],
)
def test_a_number_that_is_none_ends_with_2_and_one_line(capsys, words, told):
    with pytest.raises(SystemExit) as ended:
        main(words.split())

    said = capsys.readouterr()
    assert (ended.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert told in said.err


def test_phantoms_are_drawn_into_a_new_folder_or_not_at_all(tmp_path, capsys):
    file, kept = tmp_path / "file", tmp_path / "kept"
    file.touch()
    kept.mkdir()
    (kept / "mine").touch()
    codes = {out: main(["dataset", "phantoms", str(out), "--studies", "1", "--json"]) for out in (file, kept)}

    said = capsys.readouterr()
    assert (codes, said.out) == ({file: 2, kept: 2}, "")
    assert [line.rpartition(": ")[2].partition(",")[0] for line in said.err.splitlines()] == [
        "a file",
        "holds other files",
    ]
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["file", "kept", "mine"]
