"""Answers the gateway's questions from Redis and the database."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import wraps
from typing import ParamSpec, TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import connection

from accounts.models import ApiToken
from accounts.scopes import Scope
from accounts.services import find_token
from accounts.sign_in_failures import TooManyAttempts, count_bad_credential
from notebooks import idleness, memory, selectors, volume_usage
from notebooks.addresses import base_path
from notebooks.credentials import jupyter_token
from notebooks.gateway.contract import Grant, Probe, Probed, Route, Ticket, TokenUse
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus
from notebooks.tickets import Credential, IssuedTicket, read_ticket, redeem_code
from submarine_site.core.digests import digest
from volumes.contract import VolumeSeen

P = ParamSpec("P")
T = TypeVar("T")

# A flood of look-ups must not keep the sweep from its threads: it would refuse everybody.
_LOOKUPS = ThreadPoolExecutor(8, "look-up")
_SWEEPS = ThreadPoolExecutor(4, "sweep")


def _in_thread(
    function: Callable[P, T], pool: ThreadPoolExecutor = _LOOKUPS
) -> Callable[P, Awaitable[T]]:
    """Run in a thread of the pool, and give its database connection back at the end."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        finally:
            connection.close()

    return sync_to_async(call, thread_sensitive=False, executor=pool)


def _grant(issued: IssuedTicket, value: str) -> Grant:
    leave = issued.leave
    return Grant(
        id=f"{leave.credential}:{leave.credential_id}:{digest(value)}",
        session_id=leave.session_id,
        user_id=leave.user_id,
        expires_at=issued.expires_at,
    )


def _credential(grant: Grant) -> tuple[Credential, UUID]:
    return _named(grant.id)


def _named(grant_id: str) -> tuple[Credential, UUID]:
    kind, pk, _ = grant_id.split(":", 2)
    return Credential(kind), UUID(pk)


def _redeem(session_id: UUID, code: str) -> Ticket | None:
    issued = redeem_code(session_id, code)
    if issued is None:
        return None
    grant = _grant(issued, issued.value)
    return Ticket(value=issued.value, grant=grant) if _still_valid([grant]) else None


def _by_ticket(session_id: UUID, ticket: str) -> Grant | None:
    issued = read_ticket(session_id, ticket)
    if issued is None:
        return None
    grant = _grant(issued, ticket)
    return grant if _still_valid([grant]) else None


def _by_token(session_id: UUID, secret: str) -> Grant | None:
    token = find_token(secret)
    if token is None:
        return None
    grant = Grant(
        id=f"{Credential.TOKEN}:{token.pk}:{session_id}",
        session_id=session_id,
        user_id=token.user_id,
        expires_at=token.expires_at,
        lacks="" if Scope.ACCESS in token.scopes else Scope.ACCESS.value,
    )
    return grant if _still_valid([grant]) else None


def _record_bad_token(token: str, address: str) -> int | None:
    if find_token(token) is not None:
        return None
    try:
        count_bad_credential(token, address=address)
    except TooManyAttempts as refusal:
        return refusal.retry_after
    return None


def _record_token_uses(seen: Mapping[str, TokenUse]) -> None:
    ApiToken.objects.stamp_all(
        {_named(grant_id)[1]: (use.at, use.address) for grant_id, use in seen.items()}
    )


def _still_valid(grants: Collection[Grant]) -> frozenset[str]:
    credentials = {grant.id: _credential(grant) for grant in grants}
    held = set(credentials.values())
    live = {
        Credential.SIGN_IN: selectors.live_sign_ins(
            [pk for kind, pk in held if kind is Credential.SIGN_IN]
        ),
        Credential.TOKEN: selectors.live_tokens(
            [pk for kind, pk in held if kind is Credential.TOKEN]
        ),
    }
    usable = selectors.usable_by({(grant.user_id, grant.session_id) for grant in grants})
    holds = set()
    for grant in grants:
        kind, pk = credentials[grant.id]
        # The credential must belong to the user whom the grant names.
        if live[kind].get(pk) == grant.user_id and (grant.user_id, grant.session_id) in usable:
            holds.add(grant.id)
    return frozenset(holds)


def _routes(session_ids: Collection[UUID]) -> Mapping[UUID, Route]:
    found = NotebookSession.objects.filter(pk__in=session_ids, deleted_at=None).select_related(
        "current_run"
    )
    return {session.pk: _route(session) for session in found}


def _route(session: NotebookSession) -> Route:
    run = session.current_run
    running = session.status == SessionStatus.RUNNING
    return Route(
        session_id=session.pk,
        run_id=run.pk if run else None,
        name=session.name,
        status=session.status,
        address=run.address if run and running else "",
        token=jupyter_token(run.pk) if run and running else "",
        message=session.reason,
        stops_at=run.stops_at if run and running else None,
        idle_stop_at=session.idle_stop_at,
    )


def _due_probes() -> list[Probe]:
    return [
        Probe(
            session_id=run.session_id,
            run_id=run.pk,
            address=run.address,
            base=base_path(run.session_id),
            token=jupyter_token(run.pk),
        )
        for run in idleness.claim_probes()
    ]


class DatabaseAuthority:
    """See `Authority`. Each answer is made in a thread, with a connection of the pool."""

    async def redeem(self, session_id: UUID, code: str) -> Ticket | None:
        return await _in_thread(_redeem)(session_id, code)

    async def by_ticket(self, session_id: UUID, ticket: str) -> Grant | None:
        return await _in_thread(_by_ticket)(session_id, ticket)

    async def by_token(self, session_id: UUID, token: str) -> Grant | None:
        return await _in_thread(_by_token)(session_id, token)

    async def record_bad_token(self, token: str, address: str) -> int | None:
        return await _in_thread(_record_bad_token)(token, address)

    async def still_valid(self, grants: Collection[Grant]) -> frozenset[str]:
        return await _in_thread(_still_valid, _SWEEPS)(grants)

    async def routes(self, session_ids: Collection[UUID]) -> Mapping[UUID, Route]:
        return await _in_thread(_routes, _SWEEPS)(session_ids)

    async def record_activity(self, seen: Mapping[UUID, datetime]) -> None:
        await _in_thread(NotebookSession.objects.stamp_activity)(seen)

    async def record_token_uses(self, seen: Mapping[str, TokenUse]) -> None:
        await _in_thread(_record_token_uses)(seen)

    async def due_probes(self) -> Sequence[Probe]:
        return await _in_thread(_due_probes)()

    async def record_probes(self, probed: Sequence[Probed]) -> None:
        await _in_thread(idleness.record_probes)(probed)

    async def record_oom_kills(self, seen: Mapping[UUID, int]) -> None:
        await _in_thread(memory.record_oom_kills)(seen)

    async def record_usage(self, seen: Mapping[UUID, Mapping[UUID, VolumeSeen]]) -> None:
        await _in_thread(volume_usage.record_usage)(seen)
