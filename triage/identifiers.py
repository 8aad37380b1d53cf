"""Identifiers as types of their own, so that a series UID never lands where a study UID belongs."""

from typing import NewType

StudyInstanceUid = NewType("StudyInstanceUid", str)
SeriesInstanceUid = NewType("SeriesInstanceUid", str)
SopInstanceUid = NewType("SopInstanceUid", str)
Sha256 = NewType("Sha256", str)
"""Lower-case hexadecimal, 64 characters."""
