"""Environments: who may choose, start, read and change them."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.utils import timezone

from accounts.models import User
from environments.models import Environment
from environments.querysets import EnvironmentQuerySet
from tests.factories import EnvironmentFactory, UserFactory

pytestmark = pytest.mark.django_db


def names(environments: EnvironmentQuerySet) -> set[str]:
    return set(environments.values_list("name", flat=True))


@pytest.fixture
def offered(ada: User) -> None:
    """Of each kind one: of the site, of Ada's, of another's."""
    physics = Group.objects.create(name="physics")
    ada.groups.add(physics, Group.objects.create(name="chemistry"))
    EnvironmentFactory.create(name="for-physics").groups.add(physics)
    EnvironmentFactory.create(name="for-both").groups.set(Group.objects.all())
    EnvironmentFactory.create(name="for-all")
    EnvironmentFactory.create(name="off", enabled=False)
    EnvironmentFactory.create(name="hidden", hidden=True)
    EnvironmentFactory.create(name="hers", owner=ada)
    EnvironmentFactory.create(name="hers-hidden", owner=ada, hidden=True)
    EnvironmentFactory.create(name="hers-off", owner=ada, enabled=False)
    grace = UserFactory.create(username="grace")
    EnvironmentFactory.create(name="graces", owner=grace)
    EnvironmentFactory.create(name="graces-for-physics", owner=grace).groups.add(physics)


SITE = {"for-physics", "for-both", "for-all"}


@pytest.mark.usefixtures("offered")
def test_an_environment_is_offered_as_a_size_is(ada: User, mallory: User) -> None:
    hers = {"hers", "hers-hidden", "graces-for-physics"}
    assert names(Environment.objects.offered_to(ada)) == SITE | hers
    assert names(Environment.objects.offered_to(mallory)) == {"for-all"}


@pytest.mark.usefixtures("offered")
def test_what_is_hidden_can_be_started(ada: User, mallory: User) -> None:
    assert names(Environment.objects.startable_by(mallory)) == {"for-all", "hidden"}
    assert "hidden" in names(Environment.objects.visible_to(ada))


@pytest.mark.usefixtures("offered")
def test_the_catalogue_has_what_is_offered_and_what_one_changes(
    ada: User, mallory: User, operator: User
) -> None:
    hers = {"hers", "hers-hidden", "hers-off", "graces-for-physics"}
    assert names(Environment.objects.listed_for(ada)) == SITE | hers
    assert names(Environment.objects.listed_for(mallory)) == {"for-all"}
    assert names(Environment.objects.listed_for(operator)) == SITE | {"off", "hidden"}


@pytest.mark.usefixtures("offered")
def test_users_change_their_own_and_operators_those_of_the_site(
    ada: User, mallory: User, operator: User
) -> None:
    hers = {"hers", "hers-hidden", "hers-off"}
    assert names(Environment.objects.managed_by(ada)) == hers
    assert names(Environment.objects.managed_by(mallory)) == set()
    assert names(Environment.objects.managed_by(operator)) == SITE | {"off", "hidden"}


@pytest.mark.usefixtures("offered")
def test_an_operator_is_of_the_staff_and_has_the_right(mallory: User) -> None:
    mallory.user_permissions.add(Permission.objects.get(codename="change_environment"))
    assert names(Environment.objects.managed_by(User.objects.get(pk=mallory.pk))) == set()
    User.objects.filter(pk=mallory.pk).update(is_staff=True)
    assert "off" in names(Environment.objects.managed_by(User.objects.get(pk=mallory.pk)))


def test_a_name_means_ones_own_then_the_sites_then_what_others_shared_first(ada: User) -> None:
    physics = Group.objects.create(name="physics")
    ada.groups.add(physics)

    def made(owner: User | None, *groups: Group) -> Environment:
        environment = EnvironmentFactory.create(name="science", owner=owner)
        environment.groups.set(groups)
        return environment

    def meant() -> Environment | None:
        visible = Environment.objects.visible_to(ada)
        [listed] = [each for each in visible.reachable_by_name(ada) if each.name == "science"]
        assert listed == visible.named("science", ada).first()
        return listed

    kept_back = made(UserFactory.create())
    elsewhere = made(UserFactory.create(), Group.objects.create(name="of-others"))
    first = made(UserFactory.create(), physics)
    second = made(UserFactory.create(), physics)
    assert meant() == first
    # Through another group that its owner has in common with her.
    chemistry = Group.objects.create(name="chemistry")
    ada.groups.add(chemistry)
    kept_back.groups.add(chemistry)
    elsewhere.groups.add(chemistry)
    assert meant() == first
    first.groups.clear()
    assert meant() == second
    first.groups.add(physics)
    assert meant() == second
    of_the_site = made(None)
    assert meant() == of_the_site
    own = made(ada)
    assert meant() == own
    Environment.objects.filter(pk=own.pk).update(deleted_at=timezone.now())
    assert meant() == of_the_site


@pytest.mark.parametrize("name", ["none", "", "\0", "FOR-ALL"])
def test_what_is_not_there_is_none(ada: User, name: str) -> None:
    EnvironmentFactory.create(name="for-all")
    assert Environment.objects.visible_to(ada).named(name, ada).first() is None


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", {"science", "plain"}),
        ("SCI", {"science"}),
        ("frames", {"science"}),
        ("polars", {"science"}),
        ("science polars", {"science"}),
        ("plain polars", set()),
        ("%", set()),
        ("channels", set()),
        ("a\0b", {"science"}),
        ("x " * 5000, set()),
    ],
)
def test_they_are_found_by_names_and_packages(ada: User, words: str, found: set[str]) -> None:
    kernel = {"name": "b", "display_name": "B", "channels": [], "conda": [], "pip": ["polars>=1"]}
    EnvironmentFactory.create(
        name="science", description="For data frames, a bit.", newest__kernels=[kernel]
    )
    EnvironmentFactory.create(name="plain")
    assert names(Environment.objects.listed_for(ada).found_by(words)) == found
