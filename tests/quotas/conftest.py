"""People who may set limits."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import User
from tests.conftest import browser_of
from tests.factories import UserFactory

operators = import_module("accounts.migrations.0003_operators")
log = import_module("audit.migrations.0003_operators")


@pytest.fixture
def olga(db: None) -> User:
    """Of the group that comes with the service, and no superuser."""
    # Tests that flush the database take it away.
    operators.make_operators(apps, None)
    log.let_operators_look(apps, None)
    user = UserFactory.create(username="olga", is_staff=True)
    user.groups.add(Group.objects.get(name="Operators"))
    return user


@pytest.fixture
def admin(olga: User) -> Client:
    return browser_of(olga)


@pytest.fixture
def physics(ada: User) -> Group:
    """A group that Ada is in."""
    group = Group.objects.create(name="physics")
    ada.groups.add(group)
    return group
