"""What people choose of the page: their keys, their language, their colours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert

from storage.schema import accounts, preferences
from storage.transaction import transaction
from triage.errors import ActNotPossible


@dataclass(frozen=True, slots=True)
class PreferenceRows:
    """Preferences by account, each call in a transaction of its own."""

    engine: Engine

    def of(self, account: str) -> dict[str, Any]:
        """Return what the account has chosen, by name; empty where it never chose."""
        query = select(preferences.c.chosen).where(preferences.c.account == account)
        with transaction(self.engine) as connection:
            return dict(connection.execute(query).scalar_one_or_none() or {})

    def choose(self, account: str, chosen: Mapping[str, Any]) -> None:
        """Keep what is named in `chosen`; the rest stays as it was.

        Raises:
            ActNotPossible: nobody has an account of this name; an API token has none.
        """
        statement = insert(preferences).values(account=account, chosen=dict(chosen))
        keeping = statement.on_conflict_do_update(
            index_elements=["account"], set_={"chosen": preferences.c.chosen.concat(statement.excluded.chosen)}
        )
        # Locked, so that the account is not removed in between.
        locking = select(accounts.c.name).where(accounts.c.name == account).with_for_update(key_share=True)
        with transaction(self.engine) as connection:
            if connection.execute(locking).one_or_none() is None:
                raise ActNotPossible("preferences are kept for accounts, and an API token is none")
            connection.execute(keeping)
