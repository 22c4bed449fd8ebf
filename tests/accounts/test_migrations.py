"""Tokens from before there were scopes keep all that they could do."""

import pytest
from django.utils import timezone

from tests.history import history

BEFORE = [("accounts", "0003_operators")]
AFTER = [("accounts", "0004_scopes")]
OF_USERS = ["read", "launch", "access", "manage"]


@pytest.mark.django_db(transaction=True)
def test_a_token_gets_the_scopes_of_what_its_user_may() -> None:
    with history() as at:
        old = at(BEFORE)
        for name, is_staff in (("ada", False), ("olga", True)):
            user = old.get_model("accounts", "User").objects.create(
                username=name, is_staff=is_staff
            )
            old.get_model("accounts", "ApiToken").objects.create(
                user=user, name=name, digest=name, expires_at=timezone.now()
            )

        new = at(AFTER)
        kept = dict(new.get_model("accounts", "ApiToken").objects.values_list("name", "scopes"))
        assert kept == {"ada": OF_USERS, "olga": [*OF_USERS, "admin"]}
