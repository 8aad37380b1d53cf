"""Run every benchmark, or those named, and print one JSON line for each figure."""

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import time_to_list

BENCHMARKS = {"time_to_list": time_to_list.measure}


def main() -> int:
    """Return 0 when every benchmark ran."""
    names = sys.argv[1:] or list(BENCHMARKS)
    folder = Path(os.environ.get("ACUITY_HOME", "var")) / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    with (folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl").open("w") as kept:
        for name in names:
            for line in BENCHMARKS[name]():
                text = json.dumps({"benchmark": name, **line, **machine})
                print(text, flush=True)
                print(text, file=kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
