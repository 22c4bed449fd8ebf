"""Environments: who may choose them."""

import pytest
from django.contrib.auth.models import Group

from accounts.models import User
from environments.models import Environment
from tests.factories import EnvironmentFactory

pytestmark = pytest.mark.django_db


def test_an_environment_is_offered_as_a_size_is(ada: User, mallory: User) -> None:
    physics = Group.objects.create(name="physics")
    EnvironmentFactory.create(name="for-physics").groups.add(physics)
    EnvironmentFactory.create(name="for-all")
    EnvironmentFactory.create(name="off", enabled=False)
    ada.groups.add(physics)
    offered = [
        {environment.name for environment in Environment.objects.visible_to(user)}
        for user in (ada, mallory)
    ]
    assert offered == [{"for-physics", "for-all"}, {"for-all"}]


@pytest.mark.parametrize("name", ["none", "", "\0", "FOR-ALL"])
def test_what_is_not_there_is_none(ada: User, name: str) -> None:
    EnvironmentFactory.create(name="for-all")
    assert Environment.objects.visible_to(ada).called(name) is None
