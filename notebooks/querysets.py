"""Which sessions are whose, and the one way in which a session's state changes."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.apps import apps
from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models.functions import Greatest
from django.utils import timezone

from notebooks.lifetimes import Signal
from notebooks.states import ACTIVE, TRANSITIONS, SessionStatus
from submarine_site.core.cases import by_key
from submarine_site.core.live import announce, announce_all

if TYPE_CHECKING:
    from accounts.models import User
    from notebooks.models import Bookmark, NotebookSession

MAX_MESSAGE = 500

# Rivals wait at the guard, then find that it no longer holds.
_MOVE = """
WITH old (id, status) AS ({guard} FOR UPDATE OF notebooks_notebooksession),
moved AS (
    UPDATE notebooks_notebooksession AS session SET {changes}
    FROM old WHERE session.id = old.id
    RETURNING session.id, session.owner_id, session.current_run_id, old.status
),
told AS (
    INSERT INTO notebooks_sessionevent
        (session_id, run_id, from_status, created_at, to_status, code, message, actor_id)
    SELECT id, current_run_id, status, %s, %s, %s, %s, %s::bigint FROM moved
)
SELECT id, owner_id FROM moved
"""


class NotebookSessionQuerySet(models.QuerySet["NotebookSession"]):
    def visible_to(self, user: "User") -> Self:
        """Return the sessions the user may see and use: their own, unless deleted."""
        return self.filter(owner=user, deleted_at=None)

    def active(self) -> Self:
        """Return the sessions of which something may exist in the backend."""
        return self.filter(status__in=sorted(ACTIVE))

    def transition(
        self,
        pk: UUID,
        to: SessionStatus,
        *,
        code: str = "",
        message: str = "",
        run_id: UUID | None = None,
        actor: "User | None" = None,
        **values: Any,
    ) -> bool:
        """Move a session to `to` if the table allows it from where it is, with its event.

        `run_id` demands that this be its current run, so that late news of an earlier one changes
        nothing. `values` are further columns to set. Returns whether it moved: False means that
        someone else was first, which is normal.
        """
        rows = self.filter(pk=pk)
        if run_id is not None:
            rows = rows.filter(current_run_id=run_id)
        return bool(_move(rows, to, code=code, message=message, actor=actor, values=values))

    def transition_runs(
        self, run_ids: Collection[UUID], to: SessionStatus, **values: Any
    ) -> set[UUID]:
        """Do the same to the sessions of which these are the current runs; the sessions that
        moved.
        """
        return _move(self.filter(current_run__in=run_ids), to, values=values)

    def note(
        self,
        session: "NotebookSession",
        message: str,
        *,
        code: str = "",
        actor: "User | None" = None,
    ) -> None:
        """Record something that happened other than a transition."""
        self._record(
            session_id=session.pk,
            run_id=session.current_run_id,
            code=code,
            message=message[:MAX_MESSAGE],
            actor=actor,
        )
        announce(session.owner_id, str(session.pk))

    def stamp_activity(self, seen: Mapping[UUID, datetime], signal: Signal = Signal.USE) -> None:
        """Note when something last happened in sessions, and by which signal. Never moves a stamp
        back.
        """
        when = by_key(seen, models.DateTimeField())
        self.filter(pk__in=seen).update(
            last_activity_at=Greatest("last_activity_at", when),
            last_activity_signal=models.Case(
                models.When(last_activity_at__gte=when, then=models.F("last_activity_signal")),
                default=models.Value(signal.value),
            ),
        )

    def _record(self, **event: Any) -> None:
        # By name, because the model's module imports this one.
        apps.get_model("notebooks", "SessionEvent").objects.create(**event)


class BookmarkQuerySet(models.QuerySet["Bookmark"]):
    def visible_to(self, user: "User") -> Self:
        """Return the user's own."""
        return self.filter(owner=user)


def _move(
    rows: NotebookSessionQuerySet,
    to: SessionStatus,
    *,
    code: str = "",
    message: str = "",
    actor: "User | None" = None,
    values: Mapping[str, Any],
) -> set[UUID]:
    """Move these rows as one statement: the guard, the change and its event."""
    now = timezone.now()
    guarded = rows.filter(status__in=sorted(TRANSITIONS[to])).order_by("pk").values("pk", "status")
    try:
        guard, guard_values = guarded.query.sql_with_params()
    except EmptyResultSet:
        return set()
    changes = {
        "status": to.value,
        "status_changed_at": now,
        "reason_code": code,
        "reason": message[:MAX_MESSAGE],
        **values,
    }
    event: list[Any] = [now, to.value, code, message[:MAX_MESSAGE], actor.pk if actor else None]
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE.format(guard=guard, changes=", ".join(f"{name} = %s" for name in changes)),
            [*guard_values, *changes.values(), *event],
        )
        moved: dict[UUID, int] = dict(cursor.fetchall())
    announce_all((owner_id, str(pk)) for pk, owner_id in moved.items())
    return set(moved)
