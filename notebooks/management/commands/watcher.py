"""The watcher: turns what changes in the backend into looks by a worker.

One of several holds the lock and watches; the others stand by to take over. What it misses, the
periodic look finds.
"""

import logging
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from kombu.exceptions import OperationalError

from notebooks import tasks
from notebooks.backends.contract import BackendError
from notebooks.wiring import backend
from submarine_site.core.locks import AdvisoryLock, try_lock

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0


class Command(BaseCommand):
    help = "Follow the backend and have changes looked at at once."

    def handle(self, *_args: Any, **_options: Any) -> None:
        never = Event()
        while True:
            try:
                with try_lock(AdvisoryLock.WATCHER) as held:
                    if held:
                        logger.info("watching")
                        self._watch()
            except (BackendError, DatabaseError) as error:
                logger.warning("cannot watch: %s", error)
                connection.close()
            never.wait(RETRY_SECONDS)

    def _watch(self) -> None:
        for key in backend().changes():
            try:
                tasks.reconcile_session.delay(str(key.session_id), str(key.run_id))
            except OperationalError as error:
                logger.warning("a change of run %s is left to the poll: %s", key.run_id, error)
