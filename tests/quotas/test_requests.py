"""Requests for more: who may ask for what, and of all who decide, one."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.core import mail
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEntry
from quotas import requests, tasks
from quotas.limits import bounds_of
from quotas.models import Limit, QuotaRequest, Scope
from submarine_site.core.errors import DomainError, InvalidInput
from tests.factories import LimitFactory, UserFactory
from tests.threads import at_once

pytestmark = pytest.mark.django_db

SOON = timedelta(days=30)


@pytest.fixture(autouse=True)
def limit(db: None) -> Limit:
    return LimitFactory.create(resource="cpu_milli", amount=4000)


def asked(user: User, *, amount: int = 8000, until: datetime | None = None) -> QuotaRequest:
    return requests.ask(user=user, resource="cpu_milli", amount=amount, until=until, why="A paper.")


def has(user: User) -> int | None:
    return bounds_of(user.pk).of_user("cpu_milli").amount


def test_a_request_gives_nothing_until_it_is_granted(ada: User, operator: User) -> None:
    request = asked(ada)
    assert (request.state, has(ada)) == ("open", 4000)
    limit = requests.grant(request=request, by=operator, amount=8000, until=None, word="Fine.")
    assert (request.state, request.decided_by, request.word) == ("granted", operator, "Fine.")
    assert has(ada) == 8000
    assert (limit.scope, limit.user, limit.set_by, limit.reason) == ("user", ada, operator, "Fine.")


def test_a_grant_can_be_of_less_and_for_a_time(ada: User, operator: User) -> None:
    until = timezone.now() + SOON
    requests.grant(request=asked(ada), by=operator, amount=6000, until=until)
    assert has(ada) == 6000
    Limit.objects.filter(user=ada).update(expires_at=timezone.now())
    assert has(ada) == 4000


def test_a_grant_takes_the_place_of_the_one_before(ada: User, operator: User) -> None:
    for amount in (8000, 16_000):
        requests.grant(request=asked(ada, amount=amount), by=operator, amount=amount, until=None)
    assert list(Limit.objects.filter(user=ada).values_list("amount", flat=True)) == [16_000]


def test_a_grant_lowers_nothing(ada: User, operator: User) -> None:
    group = Group.objects.create(name="research")
    request = asked(ada)
    ada.groups.add(group)
    LimitFactory.create(scope=Scope.GROUP, group=group, resource="cpu_milli", amount=32_000)
    with pytest.raises(InvalidInput) as refusal:
        requests.grant(request=request, by=operator, amount=8000, until=None)
    assert refusal.value.fields == {"amount": "Without this, the user has 32 CPU."}
    request.refresh_from_db()
    assert (request.state, has(ada)) == ("open", 32_000)


def test_a_refusal_says_why(ada: User, operator: User) -> None:
    request = asked(ada)
    with pytest.raises(InvalidInput) as refusal:
        requests.refuse(request=request, by=operator, word=" \n")
    assert refusal.value.fields == {"word": "Say why: the user is told."}
    requests.refuse(request=request, by=operator, word="Not now.")
    assert (request.state, request.word, has(ada)) == ("refused", "Not now.", 4000)


def test_one_request_is_open_at_a_time(ada: User, operator: User) -> None:
    request = asked(ada)
    with pytest.raises(DomainError) as refusal:
        asked(ada, amount=16_000)
    assert (refusal.value.code, refusal.value.status) == ("request_open", 409)
    requests.withdraw(request=request, by=ada)
    assert asked(ada, amount=16_000).state == "open"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"resource": "disk"}, "resource"),
        ({"resource": "gpu:*"}, "resource"),
        ({"resource": "memory_mib"}, "resource"),
        ({"amount": None}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": 10**13}, "amount"),
        ({"amount": 4000}, "amount"),
        ({"until": timezone.now() - SOON}, "until"),
        ({"why": "  "}, "why"),
        ({"why": "x" * 501}, "why"),
        ({"why": "a\0b"}, "why"),
    ],
)
def test_what_is_wrong_is_named(ada: User, change: dict[str, object], field: str) -> None:
    good = {"resource": "cpu_milli", "amount": 8000, "until": None, "why": "A paper."}
    with pytest.raises(InvalidInput) as refusal:
        requests.ask(user=ada, **{**good, **change})  # type: ignore[arg-type]
    assert list(refusal.value.fields) == [field]
    assert not QuotaRequest.objects.exists()


def test_what_is_decided_stays_so(ada: User, operator: User) -> None:
    request = asked(ada)
    requests.refuse(request=request, by=operator, word="No.")
    for again in (
        lambda: requests.grant(request=request, by=operator, amount=8000, until=None),
        lambda: requests.refuse(request=request, by=operator, word="Still no."),
        lambda: requests.withdraw(request=request, by=ada),
    ):
        with pytest.raises(DomainError) as refusal:
            again()
        assert refusal.value.code == "request_decided"
        assert refusal.value.message == "This request is refused already."
    request.refresh_from_db()
    assert (request.state, request.word, has(ada)) == ("refused", "No.", 4000)


def test_to_withdraw_again_changes_nothing(ada: User) -> None:
    request = asked(ada)
    first = requests.withdraw(request=request, by=ada).decided_at
    assert requests.withdraw(request=request, by=ada).decided_at == first


@pytest.mark.django_db(transaction=True)
def test_of_many_who_decide_at_once_one_decides(ada: User, operator: User) -> None:
    for _ in range(10):
        request = asked(ada)

        def decide(number: int, request: QuotaRequest = request) -> bool:
            mine = QuotaRequest.objects.get(pk=request.pk)
            try:
                if number % 3 == 0:
                    requests.refuse(request=mine, by=operator, word="No.")
                elif number % 3 == 1:
                    requests.withdraw(request=mine, by=ada)
                else:
                    requests.grant(request=mine, by=operator, amount=8000 + number, until=None)
            except DomainError:
                return False
            return mine.state == "granted"

        granted = [number for number, won in enumerate(at_once(6, decide)) if won]
        request.refresh_from_db()
        assert (request.state == "granted") == (len(granted) == 1)
        assert has(ada) == (8000 + granted[0] if granted else 4000)
        Limit.objects.filter(user=ada).delete()


@pytest.mark.django_db(transaction=True)
def test_of_many_that_are_asked_at_once_one_is(ada: User) -> None:
    def ask(number: int) -> str:
        try:
            return asked(ada, amount=8000 + number).state
        except DomainError as refusal:
            return refusal.code

    assert sorted(at_once(8, ask)) == ["open", *["request_open"] * 7]


@pytest.fixture
def decider(db: None) -> User:
    decider = UserFactory.create(username="grace", is_staff=True, email="grace@example.com")
    decider.user_permissions.add(Permission.objects.get(codename="change_quotarequest"))
    return decider


def test_who_can_decide_is_told_by_mail(ada: User, decider: User, settings) -> None:
    settings.EMAIL_HOST = "mail.example.com"
    UserFactory.create(email="other@example.com", is_staff=True)
    tasks.tell_operators(str(asked(ada).pk))
    [message] = mail.outbox
    assert (message.to, message.bcc) == ([], ["grace@example.com"])
    assert message.subject == "ada asks for 8 CPU"
    assert "A paper." in str(message.body)


def test_the_user_is_told_by_mail(ada: User, decider: User, settings) -> None:
    settings.EMAIL_HOST = "mail.example.com"
    User.objects.filter(pk=ada.pk).update(email="ada@example.com")
    request = asked(ada)
    requests.refuse(request=request, by=decider, word="Not now.")
    tasks.tell_operators(str(request.pk))
    tasks.tell_user(str(request.pk))
    [message] = mail.outbox
    assert (message.bcc, message.subject) == (
        ["ada@example.com"],
        "Your request is refused: 8 CPU",
    )
    assert "grace says:\n\nNot now." in str(message.body)


def test_without_a_mail_server_nothing_is_sent(ada: User, decider: User) -> None:
    tasks.tell_operators(str(asked(ada).pk))
    assert mail.outbox == []


def test_a_request_asks_workers_for_its_mail(
    ada: User, operator: User, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks() as after:
        request = asked(ada)
        requests.grant(request=request, by=operator, amount=8000, until=None)
    assert len(after) == 2


def test_each_step_is_in_the_audit_log_with_the_limit_that_comes_of_it(
    ada: User, operator: User
) -> None:
    requests.withdraw(request=asked(ada), by=ada)
    requests.refuse(request=asked(ada), by=operator, word="Not now.")
    requests.grant(request=asked(ada), by=operator, amount=8000, until=None, word="Fine.")
    entries = AuditEntry.objects.filter(object_kind__in=["quota_request", "limit"]).order_by("id")
    assert list(entries.values_list("action", "actor_name", "on_behalf_of_name")) == [
        ("quota_request.created", "ada", ""),
        ("quota_request.withdrawn", "ada", ""),
        ("quota_request.created", "ada", ""),
        ("quota_request.refused", "olga", "ada"),
        ("quota_request.created", "ada", ""),
        ("limit.created", "olga", "ada"),
        ("quota_request.granted", "olga", "ada"),
    ]
    granted = entries.last()
    assert granted is not None
    assert granted.after == {"limit": "8 CPU"}
