"""The received instances, as `acuity instances list` shows them."""

from typing import Any

from sqlalchemy import Engine, select

from storage.schema import instances
from storage.transaction import transaction

_SHOWN = ("sop_instance_uid", "series_instance_uid", "study_instance_uid", "sha256", "size", "path")


def list_instances(engine: Engine) -> list[dict[str, Any]]:
    """Return every instance in order of arrival; `sha256` and `size` are of the data set's bytes as received."""
    columns = [instances.c[name] for name in _SHOWN]
    query = select(*columns).order_by(instances.c.received_at, instances.c.sop_instance_uid)
    with transaction(engine) as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
