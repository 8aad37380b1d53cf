"""Rows and files: PostgreSQL holds what is known, the disk holds the bytes as they were received."""
