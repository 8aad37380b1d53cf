"""Which role may do what."""

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """The roles of accounts and API tokens."""

    VIEWER = "viewer"
    READER = "reader"
    LEAD = "lead"
    OPERATOR = "operator"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Permission(StrEnum):
    """What a route asks for."""

    SEE_LIST = "see_list"
    SEE_INCIDENTS = "see_incidents"


PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.SEE_LIST}),
    Role.READER: frozenset({Permission.SEE_LIST, Permission.SEE_INCIDENTS}),
    Role.LEAD: frozenset({Permission.SEE_LIST, Permission.SEE_INCIDENTS}),
    Role.OPERATOR: frozenset({Permission.SEE_LIST, Permission.SEE_INCIDENTS}),
    Role.ADMIN: frozenset({Permission.SEE_LIST, Permission.SEE_INCIDENTS}),
    Role.AUDITOR: frozenset({Permission.SEE_INCIDENTS}),
}
"""The admin sees the list because the first start creates no other account."""
