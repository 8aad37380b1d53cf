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
