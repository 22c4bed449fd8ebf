"""Answers that span tables, for pages, API and gateway. Reads only."""

from collections.abc import Collection
from uuid import UUID

from accounts.models import ApiToken, SignIn, User
from notebooks.models import NotebookSession
from notebooks.querysets import NotebookSessionQuerySet


def sessions_of(user: User) -> NotebookSessionQuerySet:
    """The sessions the user may see, with all that a row or page shows of them."""
    return NotebookSession.objects.visible_to(user).select_related(
        "owner", "profile", "environment_version__environment__newest", "current_run"
    )


def live_sign_ins(ids: Collection[UUID]) -> frozenset[UUID]:
    """Of these sign-ins, those that hold: not ended, user active, password the same."""
    found = SignIn.objects.live().filter(pk__in=ids).select_related("user")
    return frozenset(
        sign_in.pk for sign_in in found if sign_in.auth_hash == sign_in.user.get_session_auth_hash()
    )


def live_tokens(ids: Collection[UUID]) -> frozenset[UUID]:
    """Of these API tokens, those that hold."""
    return frozenset(ApiToken.objects.live().filter(pk__in=ids).values_list("pk", flat=True))


def usable_by(pairs: Collection[tuple[int, UUID]]) -> frozenset[tuple[int, UUID]]:
    """Of these pairs of user and session, those where the user may use the session."""
    found = NotebookSession.objects.filter(
        pk__in=[session_id for _, session_id in pairs],
        deleted_at=None,
        owner__is_active=True,
    ).values_list("owner_id", "pk")
    return frozenset(found) & frozenset(pairs)
