"""The watcher: has what changes in the backend dealt with at once.

One of several holds the lock and watches; the others stand by to take over. What it misses, the
periodic look finds.
"""

import logging
import math
import time
from collections.abc import Mapping
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, OperationalError, connection
from django.utils import timezone
from kombu.exceptions import OperationalError as QueueError

from notebooks import reconciler, tasks
from notebooks.backends.contract import Observed, RunKey
from notebooks.wiring import backend
from submarine_site.core.heartbeat import Heartbeat, beat
from submarine_site.core.locks import AdvisoryLock, try_lock
from submarine_site.core.outside import BackendError

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
BEAT_SECONDS = 1.0


class Command(BaseCommand):
    help = "Follow the backend and have changes dealt with at once."

    def handle(self, *_args: Any, **_options: Any) -> None:
        never = Event()
        while True:
            try:
                with try_lock(AdvisoryLock.WATCHER) as held:
                    if held:
                        logger.info("watching")
                        _watch()
            except (BackendError, DatabaseError) as error:
                logger.warning("cannot watch: %s", error)
                connection.close()
            except Exception:
                logger.exception("cannot watch")
                connection.close()
            never.wait(RETRY_SECONDS)


def _watch() -> None:
    """Deal with what the backend tells for as long as this process holds the lock."""
    beaten = -math.inf
    for seen in backend().changes():
        if seen:
            _deal_with(seen)
        if time.monotonic() - beaten >= BEAT_SECONDS:
            beat(Heartbeat.WATCHER)
            beaten = time.monotonic()
        # The lock went with it, and another may watch. Who begins anew is told everything.
        if not connection.is_usable():
            raise OperationalError("the connection that held the lock is gone")


def _deal_with(seen: Mapping[RunKey, Observed | None]) -> None:
    try:
        due = reconciler.reconcile(seen, observed_at=timezone.now())
        for key in due:
            tasks.reconcile_session.delay(str(key.session_id), str(key.run_id))
    except (BackendError, DatabaseError, QueueError) as error:
        logger.warning("changes of %d runs are left to the poll: %s", len(seen), error)
    except Exception:
        logger.exception("changes of %d runs are left to the poll", len(seen))
