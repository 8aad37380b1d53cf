"""`python -m tests.fuzz receive --inputs 200000`, which is `make fuzz`: one JSON line; 1 where an input did harm."""

import argparse
import json
import sys

from tests.fuzz import receive

TARGETS = {"receive": receive.fuzz}


def main() -> int:
    """Return 0 when no input did harm."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--inputs", type=int, default=10_000, help="how many inputs")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same inputs")
    parser.add_argument("--first", type=int, default=0, help="number of the first input, to repeat one that was found")
    options = parser.parse_args()
    report = TARGETS[options.target](options.inputs, options.seed, options.first)
    print(json.dumps(report))
    return 1 if report["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
