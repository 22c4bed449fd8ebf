"""API tokens and sign-in records: what is kept, what holds, and how it ends."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import services, tasks
from accounts.models import ApiToken, SignIn, User
from submarine_site.core.digests import digest
from submarine_site.core.errors import DomainError, InvalidInput
from tests.factories import UserFactory
from tests.threads import at_once

pytestmark = pytest.mark.django_db


def make(user: User, **more: object) -> services.NewToken:
    return services.create_token(user=user, **{"name": "ci", **more})  # type: ignore[arg-type]


def test_only_the_hash_of_a_token_is_kept(ada: User) -> None:
    made = make(ada)
    kept = " ".join(str(value) for value in ApiToken.objects.values().get().values())
    assert made.secret not in kept
    assert made.secret not in repr(made)
    assert made.record.digest == digest(made.secret)
    assert made.record.hint == made.secret[:10]


def test_no_two_tokens_are_alike(ada: User) -> None:
    secrets = {make(ada).secret for _ in range(20)}
    assert len(secrets) == 20
    assert all(len(secret) == 49 for secret in secrets)


def test_a_token_is_found_by_its_secret_alone(ada: User) -> None:
    made = make(ada)
    assert services.find_token(made.secret) == made.record
    for other in ("", made.record.digest, made.record.hint, made.secret[:-1], f"{made.secret}x"):
        assert services.find_token(other) is None


@pytest.mark.parametrize("life", [timedelta(days=1), timedelta(days=365)])
def test_a_token_lasts_as_long_as_was_asked(ada: User, life: timedelta) -> None:
    expires_at = make(ada, life=life).record.expires_at
    assert abs(expires_at - timezone.now() - life) < timedelta(seconds=5)


@pytest.mark.parametrize("days", [-1, 0, 365.01, 100_000])
def test_a_token_lasts_neither_no_time_nor_for_ever(ada: User, days: float) -> None:
    with pytest.raises(InvalidInput) as refusal:
        make(ada, life=timedelta(days=days))
    assert refusal.value.fields == {"expires_in_days": "A token lasts 1 to 365 days."}
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\0"])
def test_a_token_needs_a_name(ada: User, name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        make(ada, name=name)
    assert list(refusal.value.fields) == ["name"]
    assert not ApiToken.objects.exists()


def test_a_token_holds_until_it_expires(ada: User) -> None:
    made = make(ada)
    assert (made.record.is_live, services.find_token(made.secret)) == (True, made.record)
    ApiToken.objects.update(expires_at=timezone.now())
    made.record.refresh_from_db()
    assert (made.record.is_live, services.find_token(made.secret)) == (False, None)


def test_a_token_holds_until_it_is_revoked(ada: User) -> None:
    made, other = make(ada), make(ada)
    services.revoke_token(token=made.record)
    made.record.refresh_from_db()
    when = made.record.revoked_at
    services.revoke_token(token=made.record)
    made.record.refresh_from_db()
    assert when is not None
    assert made.record.revoked_at == when
    assert services.find_token(made.secret) is None
    assert services.find_token(other.secret) == other.record


def test_the_use_of_a_token_is_noted_at_most_once_a_minute(
    ada: User, django_assert_num_queries
) -> None:
    token = make(ada).record
    ApiToken.objects.stamp(token, address="192.0.2.7")
    token.refresh_from_db()
    assert token.last_used_from == "192.0.2.7"
    first = token.last_used_at
    assert first is not None
    with django_assert_num_queries(0):
        ApiToken.objects.stamp(token, address="192.0.2.8")
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
    token.refresh_from_db()
    ApiToken.objects.stamp(token, address="192.0.2.9")
    token.refresh_from_db()
    assert token.last_used_at is not None
    assert token.last_used_at > first - timedelta(seconds=1)


def test_signing_out_everywhere_ends_ones_own_sign_ins(ada: User, mallory: User) -> None:
    for user in (ada, ada, mallory):
        SignIn.objects.create(user=user, auth_hash=user.get_session_auth_hash())
    assert services.sign_out_everywhere(user=ada) == 2
    assert services.sign_out_everywhere(user=ada) == 0
    assert SignIn.objects.live().get().user == mallory


def test_a_sign_in_of_a_disabled_user_does_not_hold(ada: User) -> None:
    SignIn.objects.create(user=ada, auth_hash="x")
    assert SignIn.objects.live().count() == 1
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert SignIn.objects.live().count() == 0


def test_a_user_has_a_hundred_tokens_at_the_most(ada: User, mallory: User) -> None:
    made = [services.create_token(user=ada, name=f"token {n}") for n in range(services.MAX_TOKENS)]

    with pytest.raises(DomainError, match="You have 100 API tokens") as refusal:
        services.create_token(user=ada, name="one more")

    assert refusal.value.code == "too_many_tokens"
    services.create_token(user=mallory, name="hers")
    services.revoke_token(token=made[0].record)
    services.create_token(user=ada, name="one more")


def test_what_has_been_over_for_long_is_forgotten(ada: User) -> None:
    long_ago = timezone.now() - services.KEPT_AFTER_END - timedelta(hours=1)
    gone, revoked, live = (services.create_token(user=ada, name=n).record for n in "abc")
    ApiToken.objects.filter(pk=gone.pk).update(revoked_at=long_ago)
    services.revoke_token(token=revoked)
    ended, present = (SignIn.objects.create(user=ada, auth_hash="x") for _ in range(2))
    SignIn.objects.filter(pk=ended.pk).update(ended_at=long_ago)

    tasks.clean_up()

    assert set(ApiToken.objects.values_list("pk", flat=True)) == {revoked.pk, live.pk}
    assert list(SignIn.objects.values_list("pk", flat=True)) == [present.pk]


def test_a_token_that_ended_meanwhile_makes_none(ada: User) -> None:
    maker = make(ada, scopes=["manage"]).record
    assert services.revoke_all_tokens(user=ada) == 1
    with pytest.raises(DomainError, match="has been revoked") as refusal:
        make(ada, scopes=["manage"], by=maker)
    assert (refusal.value.code, refusal.value.status) == ("bad_token", 401)
    assert ApiToken.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_no_token_slips_through_when_all_are_revoked() -> None:
    ada = UserFactory.create()
    maker = make(ada, scopes=["manage"]).record

    def act(number: int) -> None:
        if number == 0:
            services.revoke_all_tokens(user=ada)
            return
        with suppress(DomainError):
            for _ in range(20):
                make(ada, scopes=["manage"], by=maker)

    at_once(4, act)
    assert not ApiToken.objects.live().exists()
