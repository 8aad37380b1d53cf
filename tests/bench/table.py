"""`python -m tests.bench.table FILE...`: what `tests.bench receive` measured as the table of docs/benchmarks.md."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.bench.objects import KINDS

_PEERS = ("storescp", "storescp --fork +B", "orthanc")
_SIZES = {"ct": "CT of 525 kB", "mr": "MR of 131 kB", "cr": "CR of 10.5 MB", "us": "ultrasound cine of 55.7 MB",
          "tiny": "report of 0.5 kB"}  # fmt: skip


def table(lines: list[dict[str, Any]]) -> str:
    """Return a row for each kind, number of associations and state of Nagle's algorithm; in instances a second."""
    measured: dict[tuple[str, str, int], dict[str, dict[str, Any]]] = {}
    for line in lines:
        key = (line["nagle"], line["kind"], line["associations"])
        measured.setdefault(key, {})[line["receiver"]] = line
    ours = sorted({name for row in measured.values() for name in row if name not in _PEERS}, key=len)
    titles = ["objects", "associations", "Nagle", "n", *ours, *_PEERS, *(f"{one} / orthanc" for one in ours),
              *(f"{one} / storescp" for one in ours)]  # fmt: skip
    rows = [titles, ["---"] * len(titles)]
    for (nagle, kind, associations), row in sorted(measured.items(), key=_order):
        rates = [str(row[name]["rate"] or "hidden by noise") if name in row else "" for name in (*ours, *_PEERS)]
        ratios = [str(row[one].get(f"x_{peer}", "")) for peer in ("orthanc", "storescp") for one in ours if one in row]
        rows.append([_SIZES[kind], str(associations), nagle, str(next(iter(row.values()))["n"]), *rates, *ratios])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _order(item: tuple[tuple[str, str, int], Any]) -> tuple[str, int, int]:
    nagle, kind, associations = item[0]
    return nagle, list(KINDS).index(kind), associations


if __name__ == "__main__":
    found = [json.loads(line) for name in sys.argv[1:] for line in Path(name).read_text().splitlines()]
    print(table([line for line in found if line["benchmark"] == "receive"]))
