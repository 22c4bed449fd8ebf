"""The life of a session: its states, and which may follow which. The only place that says so.

    requested → starting → running → stopping → stopped
                   └────────┴──→ failed

`start` leads from stopped and failed back to requested; delete leads through stopping from any.
"""

from django.db import models


class SessionStatus(models.TextChoices):
    REQUESTED = "requested"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


S = SessionStatus

TRANSITIONS: dict[SessionStatus, frozenset[SessionStatus]] = {
    S.REQUESTED: frozenset({S.STOPPED, S.FAILED}),
    S.STARTING: frozenset({S.REQUESTED}),
    S.RUNNING: frozenset({S.STARTING}),
    S.STOPPING: frozenset({S.REQUESTED, S.STARTING, S.RUNNING, S.STOPPED, S.FAILED}),
    S.STOPPED: frozenset({S.STOPPING}),
    S.FAILED: frozenset({S.STARTING, S.RUNNING}),
}
"""Target → the states it may be reached from."""

LAUNCHED = frozenset({S.REQUESTED, S.STARTING, S.RUNNING})
"""Running, or on the way there."""

ACTIVE = LAUNCHED | {S.STOPPING}
"""Something of it may exist in the backend."""
