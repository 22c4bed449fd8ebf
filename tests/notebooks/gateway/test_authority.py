"""What the gateway is told, on the real database: who may pass, until when, and where to."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import ParamSpec, TypeVar
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.utils import timezone

from accounts import services as accounts
from accounts.models import ApiToken, SignIn, User
from accounts.sign_in_failures import TooManyAttempts, count_bad_credential
from notebooks import services
from notebooks.credentials import jupyter_token
from notebooks.gateway.authority import DatabaseAuthority
from notebooks.gateway.contract import Grant, Route, Ticket, TokenUse
from notebooks.models import NotebookSession, Run
from notebooks.states import SessionStatus as S
from notebooks.tickets import Credential, Leave, issue_code, redeem_code
from tests.factories import SessionFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

P = ParamSpec("P")
Outcome = TypeVar("Outcome")

authority = DatabaseAuthority()


async def in_thread(function: Callable[P, Outcome], *args: P.args, **kwargs: P.kwargs) -> Outcome:
    """Call what uses the database, and leave no connection open in the thread it ran in."""

    def call() -> Outcome:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    return await sync_to_async(call)()


@pytest.fixture
def session() -> NotebookSession:
    return SessionFactory.create(owner=UserFactory.create(username="ada"), status=S.RUNNING)


@pytest.fixture
def sign_in(session: NotebookSession) -> SignIn:
    return SignIn.objects.create(
        user=session.owner, auth_hash=session.owner.get_session_auth_hash()
    )


@pytest.fixture
def token(session: NotebookSession) -> accounts.NewToken:
    return accounts.create_token(user=session.owner, name="ci")


def code_for(session: NotebookSession, credential: SignIn | ApiToken) -> str:
    kind = Credential.SIGN_IN if isinstance(credential, SignIn) else Credential.TOKEN
    return issue_code(
        Leave(
            session_id=session.pk,
            user_id=credential.user_id,
            credential=kind,
            credential_id=credential.pk,
        )
    )


@pytest.fixture
async def by_sign_in(session: NotebookSession, sign_in: SignIn) -> Ticket:
    ticket = await authority.redeem(session.pk, code_for(session, sign_in))
    assert ticket is not None
    return ticket


@pytest.fixture
async def by_token(session: NotebookSession, token: accounts.NewToken) -> Grant:
    grant = await authority.by_token(session.pk, token.secret)
    assert grant is not None
    return grant


async def holds(*grants: Grant) -> list[bool]:
    valid = await authority.still_valid(grants)
    return [grant.id in valid for grant in grants]


async def test_a_ticket_lets_its_user_into_its_session(
    session: NotebookSession, by_sign_in: Ticket
) -> None:
    grant = await authority.by_ticket(session.pk, by_sign_in.value)
    assert grant is not None
    assert (grant.session_id, grant.user_id) == (session.pk, session.owner_id)
    assert grant.id == by_sign_in.grant.id
    assert by_sign_in.value not in grant.id
    assert await holds(grant) == [True]


async def test_a_ticket_does_not_let_into_another_session(by_sign_in: Ticket) -> None:
    assert await authority.by_ticket(uuid4(), by_sign_in.value) is None


async def test_a_code_works_once(session: NotebookSession, sign_in: SignIn) -> None:
    code = code_for(session, sign_in)
    assert await authority.redeem(session.pk, code) is not None
    assert await authority.redeem(session.pk, code) is None


async def test_a_token_lets_its_user_in_until_it_expires(
    session: NotebookSession, token: accounts.NewToken, by_token: Grant
) -> None:
    assert (by_token.session_id, by_token.user_id) == (session.pk, session.owner_id)
    assert by_token.expires_at == token.record.expires_at
    assert token.secret not in by_token.id


async def test_a_token_without_the_scope_is_known_and_lacks_it(session: NotebookSession) -> None:
    made = await in_thread(
        partial(accounts.create_token, user=session.owner, name="ci", scopes=["read", "launch"])
    )
    grant = await authority.by_token(session.pk, made.secret)
    assert grant is not None
    assert grant.lacks == "access"


async def test_bad_tokens_are_counted_together_with_failed_sign_ins_elsewhere(
    settings, session: NotebookSession, token: accounts.NewToken
) -> None:
    settings.SIGN_IN_FAILURES_PER_NETWORK = 2
    for each in ("one", "one", "two", token.secret):
        assert await authority.record_bad_token(each, "2001:db8::1") is None
    seconds = await authority.record_bad_token("three", "2001:db8::2")
    assert seconds is not None
    assert 1 <= seconds <= 300
    assert await authority.record_bad_token("three", "2001:db8:0:1::1") is None
    with pytest.raises(TooManyAttempts):
        await in_thread(partial(count_bad_credential, "four", address="2001:db8::3"))


async def test_the_use_of_a_token_is_noted_with_its_address_once_a_minute(
    token: accounts.NewToken, by_token: Grant
) -> None:
    now = timezone.now()
    for seconds, address in ((0, "192.0.2.7"), (30, "192.0.2.8"), (61, ""), (122, "2001:db8::1")):
        at = now + timedelta(seconds=seconds)
        await authority.record_token_uses({by_token.id: TokenUse(at=at, address=address)})
        used = await in_thread(ApiToken.objects.get, pk=token.record.pk)
        noted = now if seconds == 30 else at
        expected = {30: "192.0.2.7", 61: None}.get(seconds, address)
        assert (used.last_used_at, used.last_used_from) == (noted, expected)


async def test_a_token_of_a_stranger_does_not_let_in(session: NotebookSession) -> None:
    mallory = await in_thread(UserFactory.create, username="mallory")
    secret = (await in_thread(accounts.create_token, user=mallory, name="ci")).secret
    assert await authority.by_token(session.pk, secret) is None


@pytest.mark.parametrize("kind", [Credential.TOKEN, Credential.SIGN_IN])
async def test_a_ticket_whose_credential_is_another_users_does_not_let_in(
    session: NotebookSession, sign_in: SignIn, token: accounts.NewToken, kind: Credential
) -> None:
    mallory = await in_thread(UserFactory.create, username="mallory")
    if kind is Credential.TOKEN:
        made = await in_thread(partial(accounts.create_token, user=mallory, name="ci"))
        credential_id = made.record.pk
    else:
        own_hash = mallory.get_session_auth_hash()
        credential_id = (await SignIn.objects.acreate(user=mallory, auth_hash=own_hash)).pk
    leave = Leave(
        session_id=session.pk,
        user_id=session.owner_id,
        credential=kind,
        credential_id=credential_id,
    )
    ticket = redeem_code(session.pk, issue_code(leave))
    assert ticket is not None
    assert await authority.by_ticket(session.pk, ticket.value) is None
    assert await authority.redeem(session.pk, issue_code(leave)) is None
    grant = Grant(
        id=f"{kind}:{credential_id}:x",
        session_id=session.pk,
        user_id=session.owner_id,
        expires_at=ticket.expires_at,
    )
    assert await holds(grant) == [False]


@pytest.mark.parametrize("secret", ["", "x", "subnb_", "subnb_" + "x" * 43, "\0"])
async def test_a_forged_token_does_not_let_in(session: NotebookSession, secret: str) -> None:
    assert await authority.by_token(session.pk, secret) is None


def disable(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_password(user: User) -> None:
    user.set_password("another one")
    user.save(update_fields=["password"])


def delete(session: NotebookSession) -> None:
    services.delete_session(session=session, actor=session.owner)


def hand_over(session: NotebookSession) -> None:
    NotebookSession.objects.filter(pk=session.pk).update(owner=UserFactory.create(username="grace"))


@pytest.mark.parametrize(
    ("revoke", "expected"),
    [
        (lambda s: None, [True, True]),
        (lambda s: accounts.sign_out_everywhere(user=s.owner), [False, True]),
        (lambda s: SignIn.objects.filter(user=s.owner).end(), [False, True]),
        (lambda s: change_password(s.owner), [False, True]),
        (lambda s: ApiToken.objects.filter(user=s.owner).revoke(), [True, False]),
        (lambda s: ApiToken.objects.update(expires_at=timezone.now()), [True, False]),
        (lambda s: SignIn.objects.all().delete(), [False, True]),
        (lambda s: disable(s.owner), [False, False]),
        (delete, [False, False]),
        (hand_over, [False, False]),
        (lambda s: services.stop_session(session=s, actor=s.owner), [True, True]),
    ],
    ids=[
        *("nothing", "signed out everywhere", "signed out", "password changed"),
        *("token revoked", "token expired", "sign-in removed", "user disabled"),
        *("session deleted", "another owner", "session stopped"),
    ],
)
async def test_what_is_revoked_holds_no_longer(
    session: NotebookSession,
    token: accounts.NewToken,
    by_sign_in: Ticket,
    by_token: Grant,
    *,
    revoke: Callable[[NotebookSession], object],
    expected: list[bool],
) -> None:
    await in_thread(revoke, session)
    assert await holds(by_sign_in.grant, by_token) == expected
    again = [
        await authority.by_ticket(session.pk, by_sign_in.value),
        await authority.by_token(session.pk, token.secret),
    ]
    assert [grant is not None for grant in again] == expected


async def test_a_code_of_a_browser_that_signed_out_opens_nothing(
    session: NotebookSession, sign_in: SignIn
) -> None:
    code = code_for(session, sign_in)
    await in_thread(accounts.sign_out_everywhere, user=session.owner)
    assert await authority.redeem(session.pk, code) is None


async def test_nothing_to_ask_is_nothing_valid() -> None:
    assert await authority.still_valid([]) == frozenset()


@pytest.mark.parametrize("status", list(S))
async def test_a_route_leads_to_what_runs_alone(session: NotebookSession, status: S) -> None:
    def move() -> UUID:
        NotebookSession.objects.filter(pk=session.pk).update(status=status, reason="because")
        assert session.current_run is not None
        return session.current_run.pk

    run_id = await in_thread(move)
    running = status == S.RUNNING
    assert await authority.routes([session.pk]) == {
        session.pk: Route(
            session_id=session.pk,
            run_id=run_id,
            name=session.name,
            status=status,
            address="unix:/nowhere" if running else "",
            token=jupyter_token(run_id) if running else "",
            message="because",
        )
    }


async def test_a_route_says_how_long_what_runs_goes_on(session: NotebookSession) -> None:
    ready, used = timezone.now() - timedelta(minutes=5), timezone.now()

    def limit(status: S) -> None:
        rows = NotebookSession.objects.filter(pk=session.pk)
        rows.update(status=status, last_activity_at=used)
        Run.objects.filter(session=session).update(
            ready_at=ready, longest_life_minutes=60, idle_limit_minutes=10
        )

    await in_thread(limit, S.RUNNING)
    route = (await authority.routes([session.pk]))[session.pk]
    assert route.stops_at == ready + timedelta(minutes=60)
    assert route.idle_stop_at == used + timedelta(minutes=10)
    await in_thread(limit, S.STOPPING)
    route = (await authority.routes([session.pk]))[session.pk]
    assert (route.stops_at, route.idle_stop_at) == (None, None)


async def test_there_is_no_route_to_what_was_deleted(session: NotebookSession) -> None:
    await in_thread(delete, session)
    assert await authority.routes([session.pk, uuid4()]) == {}


async def test_activity_is_never_moved_back(session: NotebookSession) -> None:
    now = timezone.now()

    async def stamped() -> object:
        await in_thread(session.refresh_from_db)
        return session.last_activity_at

    await authority.record_activity({session.pk: now})
    assert await stamped() == now
    await authority.record_activity({session.pk: now - timedelta(hours=1), uuid4(): now})
    assert await stamped() == now
    await authority.record_activity({session.pk: now + timedelta(seconds=1)})
    assert await stamped() == now + timedelta(seconds=1)
