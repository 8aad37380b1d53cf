"""A small run of the fuzzer with a fixed seed; `python -m tests.fuzz receive --inputs 200000` is the long one."""

import json
import subprocess
import sys
from pathlib import Path

from tests.fuzz.receive import Fuzzer


def test_mutated_conversations_and_data_sets_do_no_harm():
    command = [sys.executable, "-m", "tests.fuzz", "receive", "--inputs", "1500", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)

    report = json.loads(done.stdout)
    assert (done.returncode, report["findings"]) == (0, [])
    assert {"0000", "A900", "C000", "released", "aborted", "lost"} <= set(report["outcomes"])
    assert report["peak_memory_mb"]["at_the_end"] < 500


def test_the_fuzzer_sees_a_file_that_nobody_answers_for(tmp_path):
    fuzzer = Fuzzer(tmp_path, seed=7)
    (tmp_path / "instances" / "00" / "stray.dcm").write_bytes(b"x")

    assert "nobody answers for" in fuzzer.check(0)


def test_the_fuzzer_sees_a_success_without_its_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", lambda _path: bytes(400))
    fuzzer = Fuzzer(tmp_path, seed=7)

    assert any("other bytes than were acknowledged" in fuzzer.check(number) for number in range(50))
