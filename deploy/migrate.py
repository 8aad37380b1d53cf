"""`acuity migrate`: the database schema, brought up to date, with a first account."""

import argparse

from deploy.clock import SystemClock
from deploy.opened import opened_database
from deploy.process import settings_of
from deploy.settings import Settings
from storage.accounts import AccountRows
from storage.database import connect, migrate
from worklist.auth import ensure_admin


def run(options: argparse.Namespace) -> int:
    """Bring the schema to the newest revision and, on a new database, create the account admin."""
    settings = settings_of(options, "migrate")
    with opened_database(settings) as url:
        prepare_database(url, settings)
    return 0


def prepare_database(url: str, settings: Settings) -> None:
    """Leave the database with the newest schema and an account to log in with, whose new password is printed once."""
    engine = connect(url)
    migrate(engine)
    password = ensure_admin(AccountRows(engine), settings.admin_password, SystemClock())
    engine.dispose()
    if password is not None:
        print(f"first start: account admin, password {password} (shown once)", flush=True)
