"""What the commands that measure do: simulated studies, data sets, validation."""

import argparse

from triage.errors import InvalidSetting


def simulate(options: argparse.Namespace) -> int:
    raise InvalidSetting("not wired yet")


def dataset_to_dicom(options: argparse.Namespace) -> int:
    raise InvalidSetting("not wired yet")


def validate_run(options: argparse.Namespace) -> int:
    raise InvalidSetting("not wired yet")
