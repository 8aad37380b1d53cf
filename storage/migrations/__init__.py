"""Alembic migrations: each works with the code that is running; add first, remove one release later."""
