"""Head CT studies as files, from the simulator's own phantoms."""

from pathlib import Path


def write_head_ct(folder: Path, seed: int, bleed: bool) -> list[Path]:
    """Write one simulated head CT study and return its files, lowest slice first."""
    raise AssertionError
