"""The logs of runs, for pages and API: asked of a worker, as a request never calls the backend."""

import secrets
from threading import BoundedSemaphore

from django.db import connection
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from notebooks import tasks
from notebooks.models import Run
from submarine_site.core.errors import DomainError
from submarine_site.core.redis import client
from submarine_site.core.signed import sign, verify

LOG_LINES = 200
_LOG_WAIT_SECONDS = 3
_waiting = BoundedSemaphore(2)


def log_of(run: Run) -> str:
    """The last lines of a run's log: of one that has ended as kept, else as it is now.

    Raises `DomainError` with `log_unavailable` when no worker answers within 3 s.
    """
    if run.ended_at is not None:
        return run.log_tail
    # The others of the few threads that answer requests are for those who need not wait.
    if not _waiting.acquire(blocking=False):
        raise _unavailable()
    reply_to = f"log:{secrets.token_hex(16)}"
    # A task that somebody else put into the queue must not read the logs of others.
    signed = sign(reply_to, [str(run.session_id), str(run.pk), LOG_LINES])
    try:
        tasks.send_log.apply_async((signed, reply_to), expires=_LOG_WAIT_SECONDS)
        # A wait of seconds with one of the pool's few connections in hand would stall the others.
        if not connection.in_atomic_block:
            connection.close()
        answer = client().blpop([reply_to], timeout=_LOG_WAIT_SECONDS)
    except (RedisError, OperationalError, OSError):
        answer = None
    finally:
        _waiting.release()
    text = verify(reply_to, answer[1], max_age=tasks.REPLY_LIFE) if answer else None
    # Of the same signature as the request, which is a list.
    if not isinstance(text, str):
        raise _unavailable()
    return text


def _unavailable() -> DomainError:
    return DomainError(
        "The log cannot be read right now. Try again in a moment.",
        code="log_unavailable",
        status=503,
    )
