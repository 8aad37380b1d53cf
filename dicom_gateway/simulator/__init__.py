"""Simulated scanners and a simulated PACS: synthetic patients, real DICOM, no data of any person."""
