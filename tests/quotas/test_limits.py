"""How much somebody may have, and by which rule."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone

from accounts.models import User
from quotas.amounts import CPU, SESSIONS, gpu
from quotas.limits import Bound, bounds_of, explained_bounds_of
from quotas.models import Limit, Scope
from tests.factories import LimitFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def physics(ada: User) -> Group:
    return _group(ada, "physics")


@pytest.fixture
def vision(ada: User) -> Group:
    return _group(ada, "vision")


def _group(member: User, name: str) -> Group:
    group = Group.objects.create(name=name)
    member.groups.add(group)
    return group


def amount(user: User, resource: str = SESSIONS) -> int | None:
    return bounds_of(user.pk).of_user(resource).amount


def test_without_a_word_on_it_it_is_unlimited(ada: User) -> None:
    assert bounds_of(ada.pk).of_user(SESSIONS) == Bound()


def test_the_default_is_for_everybody(ada: User, mallory: User) -> None:
    LimitFactory.create(amount=2)
    assert (amount(ada), amount(mallory)) == (2, 2)
    assert amount(ada, CPU) is None


def test_a_group_s_stands_before_the_default_also_if_it_is_less(
    ada: User, mallory: User, physics: Group
) -> None:
    LimitFactory.create(amount=2)
    LimitFactory.create(scope=Scope.GROUP, group=physics, amount=1)
    assert (amount(ada), amount(mallory)) == (1, 2)


def test_of_several_groups_the_largest_counts(ada: User, physics: Group, vision: Group) -> None:
    LimitFactory.create(scope=Scope.GROUP, group=physics, amount=1)
    LimitFactory.create(scope=Scope.GROUP, group=vision, amount=5)
    bound = bounds_of(ada.pk).of_user(SESSIONS)
    assert bound.amount == 5
    assert bound.rule is not None
    assert bound.rule.group == vision
    assert [each.amount for each in bound.considered] == [5, 1]


def test_unlimited_is_the_largest(ada: User, physics: Group, vision: Group) -> None:
    LimitFactory.create(scope=Scope.GROUP, group=physics, amount=None)
    LimitFactory.create(scope=Scope.GROUP, group=vision, amount=5)
    assert amount(ada) is None


def test_one_s_own_stands_before_all_others_and_none_is_not_unlimited(
    ada: User, physics: Group
) -> None:
    LimitFactory.create(amount=2)
    LimitFactory.create(scope=Scope.GROUP, group=physics, amount=None)
    LimitFactory.create(scope=Scope.USER, user=ada, amount=0)
    assert amount(ada) == 0


def test_a_boost_stands_before_what_it_is_beside_until_its_time_is_over(ada: User) -> None:
    LimitFactory.create(scope=Scope.USER, user=ada, amount=2)
    boost = LimitFactory.create(
        scope=Scope.USER, user=ada, amount=9, expires_at=timezone.now() + timedelta(hours=1)
    )
    assert amount(ada) == 9
    Limit.objects.filter(pk=boost.pk).update(expires_at=timezone.now())
    assert amount(ada) == 2


def test_a_boost_of_a_group_counts_in_its_place(ada: User, physics: Group, vision: Group) -> None:
    soon = timezone.now() + timedelta(hours=1)
    LimitFactory.create(scope=Scope.GROUP, group=physics, amount=2)
    LimitFactory.create(scope=Scope.GROUP, group=physics, amount=4, expires_at=soon)
    LimitFactory.create(scope=Scope.GROUP, group=vision, amount=3)
    assert amount(ada) == 4


def test_a_class_of_gpus_has_its_own_limit_or_that_of_the_others(ada: User) -> None:
    LimitFactory.create(resource="gpu:*", amount=0)
    LimitFactory.create(resource=gpu("a100"), amount=2)
    assert amount(ada, gpu("a100")) == 2
    assert amount(ada, gpu("h100")) == 0


def test_a_group_s_word_on_the_others_stands_before_the_default_on_one(
    ada: User, physics: Group
) -> None:
    LimitFactory.create(resource=gpu("a100"), amount=2)
    LimitFactory.create(scope=Scope.GROUP, group=physics, resource="gpu:*", amount=4)
    assert amount(ada, gpu("a100")) == 4


def test_pools_are_those_of_one_s_groups(ada: User, mallory: User, physics: Group) -> None:
    LimitFactory.create(scope=Scope.POOL, group=physics, amount=7)
    assert bounds_of(ada.pk).pools == {physics.pk: "physics"}
    assert bounds_of(ada.pk).of_pool(physics.pk, SESSIONS).amount == 7
    assert amount(ada) is None
    assert bounds_of(mallory.pk).pools == {}


def test_the_site_s_is_beside_the_user_s(ada: User) -> None:
    LimitFactory.create(scope=Scope.SITE, amount=100)
    bounds = bounds_of(ada.pk)
    assert bounds.has_site
    assert bounds.of_site(SESSIONS).amount == 100
    assert bounds.of_user(SESSIONS) == Bound()


def test_one_question_is_asked(ada: User, physics: Group, django_assert_num_queries) -> None:
    for scope, group, user in [
        (Scope.DEFAULT, None, None),
        (Scope.GROUP, physics, None),
        (Scope.POOL, physics, None),
        (Scope.USER, None, ada),
        (Scope.SITE, None, None),
    ]:
        LimitFactory.create(scope=scope, group=group, user=user)
    with django_assert_num_queries(1):
        assert bounds_of(ada.pk).pools == {physics.pk: "physics"}
    with django_assert_num_queries(1):
        bounds = explained_bounds_of(ada.pk)
        bound = bounds.of_user(SESSIONS)
        assert [each.subject for each in bound.considered] == [
            "ada",
            "each member of physics",
            "each user",
        ]
        assert bounds.pools == {physics.pk: "physics"}


def test_there_is_one_of_each_and_one_boost_of_each(ada: User) -> None:
    soon = timezone.now() + timedelta(hours=1)
    LimitFactory.create(scope=Scope.USER, user=ada)
    LimitFactory.create(scope=Scope.USER, user=ada, expires_at=soon)
    for expires_at in (None, soon + timedelta(hours=1)):
        again = Limit(scope=Scope.USER, user=ada, resource=SESSIONS, expires_at=expires_at)
        with pytest.raises(ValidationError) as refusal:
            again.full_clean()
        assert refusal.value.messages == ["There is such a limit already."]


@pytest.mark.parametrize("scope", [Scope.USER, Scope.GROUP, Scope.POOL])
def test_a_limit_is_for_someone(scope: Scope) -> None:
    with pytest.raises(IntegrityError, match="limit_is_for_someone"):
        LimitFactory.create(scope=scope)


def test_a_default_is_for_no_one_alone(ada: User) -> None:
    with pytest.raises(IntegrityError, match="limit_is_for_someone"):
        LimitFactory.create(user=ada)
