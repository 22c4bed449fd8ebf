"""Who was there before accounts were made with them has one."""

import pytest

from tests.history import history

BEFORE = [("quotas", "0004_bounds_of_times"), ("accounts", "0004_scopes")]
AFTER = [("quotas", "0005_accounts_by_trigger")]


@pytest.mark.django_db(transaction=True)
def test_all_that_are_counted_get_an_account_once() -> None:
    with history() as at:
        old = at(BEFORE)
        ada, bob = (
            old.get_model("accounts", "User").objects.create(username=name)
            for name in ("ada", "bob")
        )
        physics = old.get_model("auth", "Group").objects.create(name="physics")
        limits = old.get_model("quotas", "Limit").objects
        for resource in ("sessions", "cpu_milli"):
            limits.create(scope="pool", group=physics, resource=resource)
            limits.create(scope="site", resource=resource)
        old.get_model("quotas", "Account").objects.create(kind=1, subject=bob.pk)

        accounts = at(AFTER).get_model("quotas", "Account").objects
        kept = sorted(accounts.values_list("kind", "subject"))
        assert kept == sorted([(1, ada.pk), (1, bob.pk), (2, physics.pk), (3, 0)])
