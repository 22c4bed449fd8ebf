"""The Celery tasks: each takes ids, calls one function, and may be delivered twice."""

import logging
from uuid import UUID

from celery import shared_task
from redis.exceptions import RedisError

from notebooks import lifecycle, reconciler
from notebooks.backends.contract import (
    BackendError,
    BackendRefused,
    BackendUnavailable,
    RunKey,
)
from notebooks.wiring import backend
from submarine_site.core.heartbeat import Heartbeat, beat
from submarine_site.core.locks import AdvisoryLock, try_lock
from submarine_site.core.redis import client

logger = logging.getLogger(__name__)

_REPLY_SECONDS = 30


def _key(session_id: str, run_id: str) -> RunKey:
    return RunKey(session_id=UUID(session_id), run_id=UUID(run_id))


@shared_task(autoretry_for=(BackendUnavailable,), max_retries=5, retry_backoff=1, retry_jitter=True)
def launch(session_id: str, run_id: str) -> None:
    """Begin a run. Requires requested, leaves starting or failed."""
    key = _key(session_id, run_id)
    try:
        lifecycle.launch(key)
    except BackendUnavailable:
        lifecycle.hold_up(key, "What runs the sessions does not answer. It is tried again.")
        raise


@shared_task(autoretry_for=(BackendUnavailable,), max_retries=5, retry_backoff=1, retry_jitter=True)
def halt(session_id: str, run_id: str) -> None:
    """End a run. Requires stopping, leaves stopping or stopped."""
    try:
        lifecycle.halt(_key(session_id, run_id))
    except BackendRefused as error:
        logger.warning("run %s is left for the next look: %s", run_id, error)


@shared_task
def reconcile_session(session_id: str, run_id: str) -> None:
    """Look at one run and do what is due; requires and leaves any state."""
    try:
        reconciler.reconcile_session(_key(session_id, run_id))
    except BackendError as error:
        logger.warning("run %s could not be looked at: %s", run_id, error)


@shared_task
def reconcile_all() -> None:
    """Look at everything and do what is due; requires and leaves any state."""
    try:
        due = reconciler.reconcile_all()
    except BackendError as error:
        logger.warning("the backend could not be looked at: %s", error)
        return
    if due is None:
        return
    beat(Heartbeat.POLL)
    for key in due:
        reconcile_session.delay(str(key.session_id), str(key.run_id))


@shared_task
def tidy() -> None:
    """Put right what concerns no single session."""
    try:
        with try_lock(AdvisoryLock.TIDY) as held:
            if held:
                backend().tidy()
    except BackendError as error:
        logger.warning("not tidied: %s", error)


@shared_task
def send_log(session_id: str, run_id: str, lines: int, reply_to: str) -> None:
    """Read the end of a run's log and answer on the Redis list `reply_to`; leaves any state."""
    try:
        text = lifecycle.log_tail(_key(session_id, run_id), lines=lines)
        # Together: an answer that nobody takes must not stay.
        with client().pipeline() as together:
            together.lpush(reply_to, text)
            together.expire(reply_to, _REPLY_SECONDS)
            together.execute()
    except RedisError as error:
        logger.warning("the log of run %s could not be sent: %s", run_id, error)
