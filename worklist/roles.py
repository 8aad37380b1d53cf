"""Which role may do what; what is not named here is denied."""

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
    SEE_IMAGES = "see_images"
    STORE_IMAGES = "store_images"
    SEE_INCIDENTS = "see_incidents"
    HANDLE_INCIDENTS = "handle_incidents"
    SEE_OPERATIONS = "see_operations"
    READ_STUDIES = "read_studies"
    LEAD_READING = "lead_reading"
    SEE_AUDIT = "see_audit"
    SEE_VALIDATIONS = "see_validations"
    SEE_ALARMS = "see_alarms"
    HANDLE_ALARMS = "handle_alarms"
    MANAGE_USERS = "manage_users"


_VIEWS = frozenset({Permission.SEE_LIST, Permission.SEE_IMAGES})
_READS = _VIEWS | {Permission.SEE_INCIDENTS, Permission.READ_STUDIES, Permission.SEE_ALARMS}
_LEADS = _READS | {
    Permission.HANDLE_INCIDENTS,
    Permission.LEAD_READING,
    Permission.SEE_VALIDATIONS,
    Permission.HANDLE_ALARMS,
}

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWS,
    Role.READER: _READS,
    Role.LEAD: _LEADS,
    Role.OPERATOR: frozenset(
        {
            Permission.SEE_LIST,
            Permission.STORE_IMAGES,
            Permission.SEE_INCIDENTS,
            Permission.HANDLE_INCIDENTS,
            Permission.SEE_VALIDATIONS,
            Permission.SEE_ALARMS,
            Permission.HANDLE_ALARMS,
            Permission.SEE_OPERATIONS,
        }
    ),
    Role.ADMIN: frozenset(Permission),
    Role.AUDITOR: frozenset(
        {Permission.SEE_INCIDENTS, Permission.SEE_AUDIT, Permission.SEE_VALIDATIONS, Permission.SEE_ALARMS}
    ),
}
"""The admin may do everything because the first start creates no other account; see docs/decisions/0017."""
