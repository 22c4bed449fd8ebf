"""The Celery tasks: each takes ids, calls one function, and may be delivered twice."""

import logging
import time
from datetime import timedelta
from threading import Event
from uuid import UUID

from celery import shared_task
from django.conf import settings
from redis.exceptions import RedisError

from notebooks import capacity, lifecycle, reconciler, reports
from notebooks.backends.contract import RunKey
from notebooks.ceiling import site_ceiling
from notebooks.wiring import backend
from submarine_site.core.heartbeat import Heartbeat, beat
from submarine_site.core.locks import AdvisoryLock, try_lock
from submarine_site.core.outside import BackendError, BackendRefused, BackendUnavailable
from submarine_site.core.redis import client
from submarine_site.core.signed import sign, verify

logger = logging.getLogger(__name__)

REPLY_LIFE = timedelta(seconds=30)

_ASKED = "launch:asked"
_ASKED_SECONDS = 5
"""After which others are asked again, when who was asked is gone."""
_BATCH = 32
_PAUSE_SECONDS = 0.1
_IDLE_SECONDS = 0.2
"""How long one stays for more: a message for each run would cost as much as the run itself."""
_TURN_SECONDS = 20
"""A task of its own for more: what else waits in the queue is to have its turn."""


def _key(session_id: str, run_id: str) -> RunKey:
    return RunKey(session_id=UUID(session_id), run_id=UUID(run_id))


def ask_to_launch() -> None:
    """Have a worker begin what was requested: one message for a rush, while one is at it none."""
    if client().set(_ASKED, 1, nx=True, ex=_ASKED_SECONDS):
        launch.delay()


@shared_task
def launch() -> None:
    """Begin the runs that were asked for, for as long as more come. Requires requested, leaves
    starting or failed.
    """
    pause = Event()
    ends = time.monotonic() + _TURN_SECONDS
    idle_since = time.monotonic()
    while time.monotonic() < ends:
        begun = lifecycle.launch(*lifecycle.requested(limit=_BATCH))
        if begun:
            client().set(_ASKED, 1, ex=_ASKED_SECONDS)
            idle_since = time.monotonic()
        elif time.monotonic() - idle_since > _IDLE_SECONDS:
            break
        if begun < _BATCH:
            # In a rush several come meanwhile, and each batch costs as much as some runs in it.
            pause.wait(_PAUSE_SECONDS)
    client().delete(_ASKED)
    if lifecycle.requested(limit=1):
        # Asked for just before, and heard by nobody.
        ask_to_launch()


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


@shared_task(autoretry_for=(BackendUnavailable,), max_retries=5, retry_backoff=1, retry_jitter=True)
def settle_ledger() -> None:
    """Put the ledger right by what there is, and keep what was found for whoever asked."""
    reports.keep_found(reconciler.settle_ledger())


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
    capacity.look()
    if lifecycle.requested(limit=1):
        # A message may have been lost.
        ask_to_launch()
    for key in due:
        # What cannot be had until the next poll is asked for by that one again.
        reconcile_session.apply_async(
            (str(key.session_id), str(key.run_id)), expires=settings.POLL_INTERVAL.total_seconds()
        )


@shared_task
def tidy() -> None:
    """Put right what concerns no single session."""
    try:
        with try_lock(AdvisoryLock.TIDY) as held:
            if held:
                backend().keep_below(site_ceiling())
                backend().tidy()
    except BackendError as error:
        logger.warning("not tidied: %s", error)


@shared_task
def send_log(signed: str, reply_to: str) -> None:
    """Read the end of a run's log and answer on the Redis list `reply_to`; leaves any state.

    `signed` holds the ids of session and run and the number of lines, signed for `reply_to`.
    """
    request = verify(reply_to, signed.encode(), max_age=REPLY_LIFE)
    if request is None:
        logger.warning("a log was asked for by somebody else: %s", reply_to)
        return
    session_id, run_id, lines = request
    try:
        text = lifecycle.log_tail(_key(session_id, run_id), lines=lines)
        # Together: an answer that nobody takes must not stay.
        with client().pipeline() as together:
            together.lpush(reply_to, sign(reply_to, text))
            together.expire(reply_to, REPLY_LIFE)
            together.execute()
    except RedisError as error:
        logger.warning("the log of run %s could not be sent: %s", run_id, error)
