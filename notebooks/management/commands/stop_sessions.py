"""Stops every session, as before maintenance, and waits until they are gone."""

import time
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.origin import COMMAND, coming_from
from notebooks import services
from notebooks.models import NotebookSession
from notebooks.states import LAUNCHED

LOOK_AGAIN_SECONDS = 0.2


class Command(BaseCommand):
    help = "Stop every session and wait until they are gone. Needs a running worker."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--timeout", type=float, default=120, help="seconds to wait (default: 120)"
        )

    def handle(self, *_args: Any, timeout: float, **_options: Any) -> None:
        deadline = time.monotonic() + timeout
        pause = Event()
        while left := self._stop_all():
            if time.monotonic() > deadline:
                raise CommandError(f"{left} sessions have not ended within {timeout:g} s.")
            pause.wait(LOOK_AGAIN_SECONDS)

    def _stop_all(self) -> int:
        """Stop what runs, also what was started since the last look; how many are left."""
        for session in NotebookSession.objects.filter(status__in=sorted(LAUNCHED)):
            with coming_from(COMMAND):
                services.stop_session(
                    session=session,
                    actor=None,
                    code="service_stopped",
                    message="Stopped with the service.",
                )
        return NotebookSession.objects.active().count()
