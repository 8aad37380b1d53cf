"""DICOM in and out: receiving studies, sending results, and the simulated scanners."""
