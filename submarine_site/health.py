"""Whether the service can do its work: for probes and load balancers, so open to everybody.

503 where requests cannot be answered. What works in the background may be late and the answer is
still 200: sessions run on, and to take the pages away would help nobody.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeAlias

from celery import current_app
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from notebooks import orphans
from submarine_site.core.heartbeat import Heartbeat, seconds_since
from submarine_site.core.redis import client

logger = logging.getLogger(__name__)

Answer: TypeAlias = dict[str, str | float | int | None]

STALE_SECONDS = {Heartbeat.WATCHER: 15, Heartbeat.POLL: 30}
"""How long after its last sign of life something is late: several times what is between two."""


def tasks_waiting() -> int:
    """How many tasks no worker has taken yet. Raises kombu's `OperationalError`."""
    with current_app.connection_for_write() as broker:
        channel: Any = broker.default_channel
        return int(channel.queue_declare(current_app.conf.task_default_queue).message_count)


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    database, redis = _works(_ask_database), _works(client().ping)
    # The same Redis, by a connection that would wait longer for it.
    queue = redis and _works(tasks_waiting)
    orphaned = _orphaned_runs() if database else {"status": "unknown", "held": None}
    watcher, poll = _sign_of_life(Heartbeat.WATCHER), _sign_of_life(Heartbeat.POLL)
    if not (database and redis and queue):
        status = "unavailable"
    elif watcher["status"] == poll["status"] == orphaned["status"] == "ok":
        status = "ok"
    else:
        status = "degraded"
    return JsonResponse(
        {
            "status": status,
            "database": _word(works=database),
            "redis": _word(works=redis),
            "queue": _word(works=queue),
            "watcher": watcher,
            "poll": poll,
            "orphaned_runs": orphaned,
        },
        status=HTTPStatus.SERVICE_UNAVAILABLE if status == "unavailable" else HTTPStatus.OK,
    )


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _works(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except (DatabaseError, RedisError, OperationalError, OSError) as error:
        logger.warning("not healthy: %s", error)
        return False
    return True


def _word(*, works: bool) -> str:
    return "ok" if works else "unavailable"


def _orphaned_runs() -> Answer:
    try:
        held = orphans.held()
    except DatabaseError:
        return {"status": "unknown", "held": None}
    return {"status": "held" if held else "ok", "held": held}


def _sign_of_life(heart: Heartbeat) -> Answer:
    try:
        seconds = seconds_since(heart)
    except (RedisError, OSError):
        seconds = None
    if seconds is None:
        return {"status": "unknown", "seconds": None}
    status = "ok" if seconds <= STALE_SECONDS[heart] else "stale"
    return {"status": status, "seconds": round(seconds, 1)}
