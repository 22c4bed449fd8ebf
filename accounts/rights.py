"""Permissions of the service as a whole: superusers have them, others when they are given."""

from accounts.models import User

VIEW_TASK_MONITOR = "accounts.view_task_monitor"
CONFIGURE_WORKLOADS = "accounts.configure_workloads"
WORKLOADS_RIGHT = "accounts | user | Can configure what everybody's sessions run"
"""As the admin lists it."""


def may_configure_workloads(user: User) -> bool:
    """Whether the user may change what ends as code, or as rights, in the sessions of others."""
    return user.is_staff and user.has_perm(CONFIGURE_WORKLOADS)
