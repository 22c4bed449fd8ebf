"""Tokens from before there were scopes keep all that they could do."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

BEFORE = [("accounts", "0003_operators")]
AFTER = [("accounts", "0004_scopes")]
OF_USERS = ["read", "launch", "access", "manage"]


@pytest.mark.django_db(transaction=True)
def test_a_token_gets_the_scopes_of_what_its_user_may() -> None:
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes()
    try:
        executor.migrate(BEFORE)
        old = executor.loader.project_state(BEFORE).apps
        for name, is_staff in (("ada", False), ("olga", True)):
            user = old.get_model("accounts", "User").objects.create(
                username=name, is_staff=is_staff
            )
            old.get_model("accounts", "ApiToken").objects.create(
                user=user, name=name, digest=name, expires_at=timezone.now()
            )

        executor.loader.build_graph()
        executor.migrate(AFTER)
        new = executor.loader.project_state(AFTER).apps
        kept = dict(new.get_model("accounts", "ApiToken").objects.values_list("name", "scopes"))
        assert kept == {"ada": OF_USERS, "olga": [*OF_USERS, "admin"]}
    finally:
        executor.loader.build_graph()
        executor.migrate(newest)
