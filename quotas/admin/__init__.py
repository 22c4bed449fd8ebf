"""Quotas in the admin."""

from quotas.admin import ledger, limits, people, profiles, requests

__all__ = ["ledger", "limits", "people", "profiles", "requests"]
