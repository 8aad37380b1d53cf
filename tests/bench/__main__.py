"""Run every benchmark, or those named, and print one JSON line for each figure.

`python -m tests.bench receive --help` lists what that benchmark can be told; options belong to the last one named.
"""

import itertools
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import analysis, live_list, quantised, receive, time_to_list

BENCHMARKS: dict[str, Callable[..., Iterator[dict[str, Any]]]] = {
    "time_to_list": time_to_list.measure,
    "analysis": analysis.measure,
    "live_list": live_list.measure,
    "receive": receive.measure,
}
BY_NAME_ALONE: dict[str, Callable[..., Iterator[dict[str, Any]]]] = {"quantised": quantised.measure}
"""They run for long and answer a question once; `make bench` leaves them out."""


def main() -> int:
    """Return 0 when every benchmark ran."""
    given = sys.argv[1:]
    if given[:1] in (["-h"], ["--help"]):
        print(f"{__doc__}\nBenchmarks: {', '.join(BENCHMARKS | BY_NAME_ALONE)}.")
        return 0
    named = list(itertools.takewhile(lambda word: not word.startswith("-"), given))
    names, options = named or list(BENCHMARKS), given[len(named) :]
    folder = Path(os.environ.get("ACUITY_HOME", "var")) / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    with (folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl").open("w") as kept:
        for name in names:
            for line in (BENCHMARKS | BY_NAME_ALONE)[name](*([options] if options and name == names[-1] else [])):
                text = json.dumps({"benchmark": name, **line, **machine})
                print(text, flush=True)
                print(text, file=kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
