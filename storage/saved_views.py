"""The filters of the list that people keep under a name."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from storage.schema import accounts, saved_views
from storage.transaction import transaction
from triage.errors import ActNotPossible

MOST_VIEWS = 100


@dataclass(frozen=True, slots=True)
class SavedViews:
    """Views by account, each call in a transaction of its own."""

    engine: Engine

    def of(self, account: str) -> dict[str, dict[str, str]]:
        """Return the account's views by name, in the order of the names."""
        query = select(saved_views.c.name, saved_views.c.filters).where(saved_views.c.account == account)
        with transaction(self.engine) as connection:
            return {row.name: row.filters for row in connection.execute(query.order_by(saved_views.c.name))}

    def keep(self, account: str, name: str, filters: Mapping[str, str]) -> None:
        """Keep `filters`, in the place of an earlier view of that name.

        Raises:
            ActNotPossible: nobody has an account of this name (an API token has none), or it has 100 views already.
        """
        values = {"account": account, "name": name, "filters": dict(filters)}
        statement = insert(saved_views).values(values)
        keeping = statement.on_conflict_do_update(
            index_elements=["account", "name"], set_={"filters": statement.excluded.filters}
        )
        others = (
            select(func.count())
            .select_from(saved_views)
            .where(saved_views.c.account == account, saved_views.c.name != name)
        )
        # Locked, so that two calls at the same time cannot both be the last one that is allowed.
        locking = select(accounts.c.name).where(accounts.c.name == account).with_for_update()
        with transaction(self.engine) as connection:
            if connection.execute(locking).one_or_none() is None:
                raise ActNotPossible("views are kept for accounts, and an API token is none")
            if connection.execute(others).scalar_one() >= MOST_VIEWS:
                raise ActNotPossible(f"at most {MOST_VIEWS} views are kept, remove one first")
            connection.execute(keeping)

    def forget(self, account: str, name: str) -> None:
        """Remove a view; nothing happens where there is none."""
        unwanted = (saved_views.c.account == account, saved_views.c.name == name)
        with transaction(self.engine) as connection:
            connection.execute(delete(saved_views).where(*unwanted))
