"""What the ORM wrote once is asked again with other values, by any thread."""

import pytest
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import ApiToken, User
from accounts.services import create_token, find_token, revoke_token
from environments.models import Environment
from submarine_site.core.asked import Asked
from tests.factories import EnvironmentFactory, UserFactory
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def question() -> Asked[Environment]:
    @Asked
    def offered(*, user_id: int, name: str) -> QuerySet[Environment]:
        found = Environment.objects.offered_to(User(pk=user_id)).select_related("newest")
        return found.filter(name=name)

    return offered


def test_each_asker_gets_what_the_queryset_would_give(question: Asked[Environment]) -> None:
    ada, grace = UserFactory.create_batch(2)
    hers = EnvironmentFactory.create(name="hers", owner=ada)
    for_all = EnvironmentFactory.create(name="for-all")
    assert question(user_id=ada.pk, name="hers") == [hers]
    assert question(user_id=grace.pk, name="hers") == []
    assert question(user_id=grace.pk, name="for-all") == [for_all]


def test_what_belongs_to_the_answer_comes_with_it(
    question: Asked[Environment], django_assert_num_queries
) -> None:
    made = EnvironmentFactory.create(name="science")
    user = UserFactory.create()
    question(user_id=user.pk, name="science")
    with django_assert_num_queries(1):
        [found] = question(user_id=user.pk, name="science")
        assert found.newest == made.newest


def test_an_answer_is_of_the_moment(question: Asked[Environment]) -> None:
    user = UserFactory.create()
    made = EnvironmentFactory.create(name="science", display_name="Science")
    question(user_id=user.pk, name="science")
    Environment.objects.filter(pk=made.pk).update(display_name="Art")
    assert question(user_id=user.pk, name="science")[0].display_name == "Art"


def test_threads_ask_at_the_same_time(question: Asked[Environment]) -> None:
    user = UserFactory.create()
    made = [EnvironmentFactory.create(name=f"number-{number}") for number in range(8)]
    asked = at_once(8, lambda number: question(user_id=user.pk, name=f"number-{number}"))
    assert sorted(found.name for [found] in asked) == [each.name for each in made]


def test_a_value_cannot_change_the_question(question: Asked[Environment]) -> None:
    user = UserFactory.create()
    EnvironmentFactory.create(name="science")
    assert question(user_id=user.pk, name="' OR name = 'science") == []
    assert question(user_id=user.pk, name="parameter 1") == []


def test_a_parameter_that_the_question_leaves_out_is_a_mistake() -> None:
    @Asked
    def forgetful(*, name: str) -> QuerySet[User]:
        return User.objects.all()

    with pytest.raises(AssertionError):
        forgetful(name="ada")


def test_a_token_that_was_asked_for_before_is_refused_once_it_is_revoked() -> None:
    made = create_token(user=UserFactory.create(), name="laptop")
    assert find_token(made.secret) == made.record
    revoke_token(token=made.record)
    assert find_token(made.secret) is None


def test_a_token_that_was_asked_for_before_is_refused_once_it_has_expired() -> None:
    made = create_token(user=UserFactory.create(), name="laptop")
    assert find_token(made.secret) == made.record
    ApiToken.objects.update(expires_at=timezone.now())
    assert find_token(made.secret) is None
