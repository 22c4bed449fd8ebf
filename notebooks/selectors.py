"""Answers that span tables, for pages, API and gateway. Reads only."""

import secrets
from collections.abc import Collection
from typing import cast
from uuid import UUID

from django.db import connection
from django.db.models import Prefetch
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from accounts.models import ApiToken, SignIn, User
from notebooks import tasks
from notebooks.models import NotebookSession, Run, RunPhase
from notebooks.querysets import NotebookSessionQuerySet
from submarine_site.core.errors import DomainError
from submarine_site.core.redis import client

LOG_LINES = 200
_LOG_WAIT_SECONDS = 3


def sessions_of(user: User) -> NotebookSessionQuerySet:
    """The sessions the user may see, with all that a row or page shows of them."""
    return (
        NotebookSession.objects.visible_to(user)
        .select_related("owner", "profile", "environment", "current_run")
        .prefetch_related(
            Prefetch("current_run__phases", queryset=RunPhase.objects.order_by("started_at", "id"))
        )
    )


def log_of(run: Run) -> str:
    """The last lines of a run's log: of one that has ended as kept, else as it is now.

    A worker reads it, for a request never calls the backend. Raises `DomainError` with
    `log_unavailable` when none answers within 3 s.
    """
    if run.ended_at is not None:
        return run.log_tail
    reply_to = f"log:{secrets.token_hex(16)}"
    try:
        tasks.send_log.apply_async(
            (str(run.session_id), str(run.pk), LOG_LINES, reply_to), expires=_LOG_WAIT_SECONDS
        )
        # A wait of seconds with one of the pool's few connections in hand would stall the others.
        if not connection.in_atomic_block:
            connection.close()
        answer = client().blpop([reply_to], timeout=_LOG_WAIT_SECONDS)
    except (RedisError, OperationalError, OSError):
        answer = None
    if answer is None:
        raise DomainError(
            "The log cannot be read right now. Try again in a moment.",
            code="log_unavailable",
            status=503,
        )
    return cast("bytes", answer[1]).decode()


def live_sign_ins(ids: Collection[UUID]) -> frozenset[UUID]:
    """Of these sign-ins, those that hold: not ended, user active, password the same."""
    found = SignIn.objects.live().filter(pk__in=ids).select_related("user")
    return frozenset(
        sign_in.pk for sign_in in found if sign_in.auth_hash == sign_in.user.get_session_auth_hash()
    )


def live_tokens(ids: Collection[UUID]) -> frozenset[UUID]:
    """Of these API tokens, those that hold."""
    return frozenset(ApiToken.objects.live().filter(pk__in=ids).values_list("pk", flat=True))


def usable_by(pairs: Collection[tuple[int, UUID]]) -> frozenset[tuple[int, UUID]]:
    """Of these pairs of user and session, those where the user may use the session."""
    found = NotebookSession.objects.filter(
        pk__in=[session_id for _, session_id in pairs],
        deleted_at=None,
        owner__is_active=True,
    ).values_list("owner_id", "pk")
    return frozenset(found) & frozenset(pairs)
