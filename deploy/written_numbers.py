"""Numbers as the command line takes them; whatever else is written ends the command in one line."""

import argparse
from math import isfinite


def number(text: str) -> float:
    """Return a finite number."""
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not isfinite(found):
        raise argparse.ArgumentTypeError(f"found {text!r}, needed a number")
    return found


def not_negative(text: str) -> float:
    """Return a finite number of at least 0."""
    found = number(text)
    if found < 0:
        raise argparse.ArgumentTypeError(f"found {text!r}, needed at least 0")
    return found


def share(text: str) -> float:
    """Return a number from 0 to 1."""
    found = number(text)
    if not 0 <= found <= 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, needed a number from 0 to 1")
    return found


def open_share(text: str) -> float:
    """Return a number above 0 and below 1."""
    found = number(text)
    if not 0 < found < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, needed a number above 0 and below 1")
    return found


def count(text: str) -> int:
    """Return a whole number of at least 0."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"found {text!r}, needed a whole number, at least 0")
    return int(text)
