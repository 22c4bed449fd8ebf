"""Asking workers for what a transaction has made due."""

import logging
from collections.abc import Callable
from functools import partial

from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


def enqueue_on_commit(ask: Callable[[], object]) -> None:
    """Enqueue by `ask` once the transaction has committed.

    Where the queue is away the rows say what is wanted, so that the next look does it.
    """
    transaction.on_commit(partial(_send, ask))


def _send(ask: Callable[[], object]) -> None:
    try:
        ask()
    except (OperationalError, RedisError, OSError) as error:
        logger.warning("not enqueued: %s", error)
