"""What is shown while a session starts or stops. It goes to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from submarine_client.cli.output import safe

if TYPE_CHECKING:
    from submarine_client.errors import SubmarineError
    from submarine_client.models import Phase, SessionInfo
    from submarine_client.sessions import Session
    from submarine_client.steps import Sync


class Progress:
    """A line for each phase, with how long it took; on a terminal the present one stands below."""

    def __init__(self, until: str) -> None:
        self._is_start = until == "running"
        self._is_live = sys.stderr.isatty()
        self._told: set[tuple[str, str]] = set()
        self._is_open = False
        self._is_away = False

    def change(self, info: SessionInfo) -> None:
        self._is_away = False
        run = f"{info.run.id}" if info.run else ""
        phases = info.run.phases if info.run and self._is_start else []
        for phase in phases:
            if phase.finished_at and (run, phase.phase) not in self._told:
                self._told.add((run, phase.phase))
                self._line(f"  {_words(phase)}  {_seconds(phase)}")
        present = next((each for each in phases if not each.finished_at), None)
        if info.status in {"running", "stopped", "failed"}:
            self.end()
        elif self._is_live:
            doing = _words(present) if present else info.status
            click.echo(f"\r\x1b[K  {doing} …", err=True, nl=False)
            self._is_open = True

    def away(self, error: SubmarineError) -> None:
        if not self._is_away:
            self._is_away = True
            self._line(f"  {safe(error.message)} Looking again until it is back.")

    def end(self) -> None:
        """Leave the terminal as lines should."""
        if self._is_open:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._is_open = False

    def _line(self, text: str) -> None:
        self.end()
        click.echo(text, err=True)


def _words(phase: Phase) -> str:
    words = phase.phase.replace("_", " ")
    return f"{words}: {safe(phase.detail)}" if phase.detail else words


def _seconds(phase: Phase) -> str:
    assert phase.finished_at is not None
    return f"{(phase.finished_at - phase.started_at).total_seconds():.1f} s"


def wait(session: Session[Sync], until: str, timeout: float | None) -> None:
    """Wait, and show how far it is. Broken off, it says how to go on."""
    progress = Progress(until)
    try:
        with going_on(session):
            session.wait(until, timeout=timeout, on_change=progress.change, on_away=progress.away)
    finally:
        progress.end()


@contextmanager
def going_on(session: Session[Sync]) -> Iterator[None]:
    """Whatever ends the wait but the session itself, the user is told that the session goes on."""
    from submarine_client.errors import SessionFailed

    try:
        yield
    except SessionFailed:
        raise
    except BaseException:
        ref = session.id
        click.echo(
            f"\n“{safe(session.name)}” goes on without you. Look at it with `subnb show {ref}`, "
            f"go on with `subnb open {ref}`, end it with `subnb delete {ref}`.",
            err=True,
        )
        raise
