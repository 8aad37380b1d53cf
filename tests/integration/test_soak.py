"""A short slice of `make soak`, which runs 10,000 connections: the same code, looked at for what it leaves behind."""

import json
import subprocess
import sys

from tests.soak import KINDS

CONNECTIONS = 300
DATABASE_CONNECTIONS = 10
"""The receiver opens as many when it needs them, and keeps them; of each kind of connection there are over forty."""


def test_aborts_and_port_probes_leave_no_thread_descriptor_or_unfinished_file_behind(tmp_path):
    command = [sys.executable, "-m", "tests.soak", "--connections", str(CONNECTIONS), "--seconds", "50"]

    # Its exit status also judges memory, which says nothing after so few connections.
    done = subprocess.run(command, capture_output=True, text=True, timeout=58, check=False)

    report = json.loads(done.stdout)
    assert (done.stderr, report["connections"], report["done"].keys()) == ("", CONNECTIONS, set(KINDS))
    assert report["after"]["threads"] <= report["before"]["threads"]
    assert report["after"]["descriptors"] <= report["before"]["descriptors"] + DATABASE_CONNECTIONS
    assert report["unfinished"] == 0
