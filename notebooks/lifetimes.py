"""How long a run may go on, by what its size said when it started: at the longest, and while
nothing happens in it.
"""

from datetime import datetime, timedelta
from typing import Protocol

from django.db.models import TextChoices

from submarine_site.core.resources import Resources
from submarine_site.core.templatetags.times import span

WARNING = timedelta(minutes=15)
"""How long before it is stopped its user is warned."""


SETTLED = timedelta(seconds=10)
"""After which all that people did in a session is written: what nothing was written of by then,
nobody did.
"""


class Signal(TextChoices):
    """What is taken for something that happens in a session."""

    START = "start", "its start"
    USE = "use", "someone at it"
    KERNEL = "kernel", "a kernel"
    TERMINAL = "terminal", "a terminal"


class Allowance(Protocol):
    """What a size gives, and a run has."""

    @property
    def resources(self) -> Resources: ...
    @property
    def accelerator(self) -> str: ...
    @property
    def longest_life_minutes(self) -> int | None: ...
    @property
    def idle_limit_minutes(self) -> int | None: ...


def minutes(count: int | None) -> timedelta | None:
    """Return as a span what may be no limit."""
    return None if count is None else timedelta(minutes=count)


def idle_since(ready_at: datetime | None, last_activity_at: datetime | None) -> datetime:
    """Return since when nothing has happened in a session that runs: not before its start."""
    known = [at for at in (ready_at, last_activity_at) if at is not None]
    assert known, "what runs was ready once"
    return max(known)


def size_change(size: Allowance, run: Allowance) -> str:
    """Say how a size differs from what a run has of it; empty if it does not."""
    # As it is nearly always, in lists of many: the words take longer than all else of a row.
    if _numbers(size) == _numbers(run):
        return ""
    pairs = [pair for pair in zip(_words(size), _words(run), strict=True) if pair[0] != pair[1]]
    if not pairs:
        return ""
    now, then = (", ".join(words) for words in zip(*pairs, strict=True))
    return f"The size {size} now has {now}; this run has {then}. The next start takes it."


def _numbers(of: Allowance) -> tuple[object, ...]:
    return of.resources, of.accelerator, of.longest_life_minutes, of.idle_limit_minutes


def _words(of: Allowance) -> tuple[str, ...]:
    return (
        str(of.resources),
        f"GPUs of the class {of.accelerator}" if of.resources.gpus else "no GPUs",
        _limit("longest life", of.longest_life_minutes),
        _limit("idle limit", of.idle_limit_minutes),
    )


def _limit(what: str, count: int | None) -> str:
    return f"no {what}" if count is None else f"{what} {span(count * 60)}"
