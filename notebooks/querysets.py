"""Which sessions are whose, and the one way in which a session's state changes."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.apps import apps
from django.db import models, transaction
from django.db.models.functions import Greatest
from django.utils import timezone

from notebooks.states import ACTIVE, TRANSITIONS, SessionStatus
from submarine_site.core.live import announce

if TYPE_CHECKING:
    from accounts.models import User
    from notebooks.models import NotebookSession

MAX_MESSAGE = 500


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
        message = message[:MAX_MESSAGE]
        rows = self.filter(pk=pk, status__in=sorted(TRANSITIONS[to]))
        if run_id is not None:
            rows = rows.filter(current_run_id=run_id)
        with transaction.atomic():
            # Rivals wait here, then find that the condition no longer holds.
            old = rows.select_for_update().values("status", "owner_id", "current_run_id").first()
            if old is None:
                return False
            self.filter(pk=pk).update(
                status=to,
                status_changed_at=timezone.now(),
                reason_code=code,
                reason=message,
                **values,
            )
            self._record(
                session_id=pk,
                run_id=values.get("current_run_id", old["current_run_id"]),
                from_status=old["status"],
                to_status=to,
                code=code,
                message=message,
                actor=actor,
            )
            announce(old["owner_id"], str(pk))
        return True

    def note(
        self,
        session: "NotebookSession",
        message: str,
        *,
        code: str = "",
        to_status: str = "",
        actor: "User | None" = None,
    ) -> None:
        """Record something that happened other than a transition. `to_status` is for a creation."""
        self._record(
            session_id=session.pk,
            run_id=session.current_run_id,
            to_status=to_status,
            code=code,
            message=message[:MAX_MESSAGE],
            actor=actor,
        )
        announce(session.owner_id, str(session.pk))

    def stamp_activity(self, seen: Mapping[UUID, datetime]) -> None:
        """Note when sessions were last used. Never moves a stamp back."""
        when = models.Case(
            *(models.When(pk=pk, then=models.Value(at)) for pk, at in seen.items()),
            output_field=models.DateTimeField(),
        )
        self.filter(pk__in=seen).update(last_activity_at=Greatest("last_activity_at", when))

    def _record(self, **event: Any) -> None:
        # By name, because the model's module imports this one.
        apps.get_model("notebooks", "SessionEvent").objects.create(**event)
