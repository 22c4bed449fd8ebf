"""Answers that span tables, for pages, API and gateway. Reads only."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from django.contrib.auth.models import Group
from django.db.models import Count

from accounts.models import ApiToken, SignIn, User
from accounts.uses import Uses
from environments.models import Environment, EnvironmentVersion
from environments.usage import Usage
from notebooks.models import NotebookSession
from notebooks.querysets import NotebookSessionQuerySet
from notebooks.setup import Setup
from notebooks.states import LAUNCHED
from quotas.models import ResourceProfile
from submarine_site.core.rows import share

NAMED = 10
"""How many of something long are named."""


def sessions_of(user: User) -> NotebookSessionQuerySet:
    """The sessions the user may see, with all that a row or page shows of them."""
    return NotebookSession.objects.visible_to(user).select_related(
        "owner", "profile", "environment_version__environment__newest", "current_run", "charged_to"
    )


def many_of(sessions: NotebookSessionQuerySet) -> NotebookSessionQuerySet:
    """The same for long lists, in which many have the same size and environment: without these,
    which `complete` gives to the rows that are shown.
    """
    return (
        sessions.select_related(None)
        .select_related("current_run")
        .defer(*(f"current_run__{name}" for name in ("log_tail", "kernels", "placement")))
    )


def complete(sessions: Sequence[NotebookSession], owner: User) -> None:
    """Read what rows of `many_of`, all of this owner, share: each once."""
    for session in sessions:
        session.owner = owner
    share(
        sessions,
        profile=ResourceProfile.objects.all(),
        environment_version=EnvironmentVersion.objects.select_related("environment__newest"),
        charged_to=Group.objects.all(),
    )


def live_sign_ins(ids: Collection[UUID]) -> dict[UUID, int]:
    """Of these sign-ins, those that hold (not ended, user active, password the same), each with the
    id of its user.
    """
    found = SignIn.objects.live().filter(pk__in=ids).select_related("user")
    return {
        sign_in.pk: sign_in.user_id
        for sign_in in found
        if sign_in.auth_hash == sign_in.user.get_session_auth_hash()
    }


def live_tokens(ids: Collection[UUID]) -> dict[UUID, int]:
    """Of these API tokens, those that hold, each with the id of its user."""
    return dict(ApiToken.objects.live().filter(pk__in=ids).values_list("pk", "user_id"))


def session_in(run_id: UUID) -> NotebookSession | None:
    """The session that this is the run of, with its owner; None once the run is asked to end."""
    found = NotebookSession.objects.select_related("owner").filter(
        current_run=run_id,
        status__in=sorted(LAUNCHED),
        deleted_at=None,
        owner__is_active=True,
    )
    return found.first()


def usable_by(pairs: Collection[tuple[int, UUID]]) -> frozenset[tuple[int, UUID]]:
    """Of these pairs of user and session, those where the user may use the session."""
    found = NotebookSession.objects.filter(
        pk__in=[session_id for _, session_id in pairs],
        deleted_at=None,
        owner__is_active=True,
    ).values_list("owner_id", "pk")
    return frozenset(found) & frozenset(pairs)


def usage_of(environment: Environment, viewer: User) -> Usage:
    """Who uses an environment. Whose the sessions are is for operators."""
    sessions = NotebookSession.objects.filter(
        environment_version__environment=environment, deleted_at=None
    )
    counts = sessions.aggregate(sessions=Count("pk"), people=Count("owner", distinct=True))
    mine = sessions.filter(owner=viewer).order_by("name").values_list("name", flat=True)
    owners = sessions.order_by("owner__username").values_list("owner__username", flat=True)
    sees_people = viewer.is_staff and viewer.has_perm("notebooks.view_notebooksession")
    return Usage(
        **counts,
        mine=tuple(mine[:NAMED]),
        owners=tuple(owners.distinct()[:NAMED]) if sees_people else (),
    )


def uses_by(owner: User) -> Uses:
    """Which of their sessions pick which of their secrets and git credentials."""
    secrets: defaultdict[str, list[str]] = defaultdict(list)
    credentials: defaultdict[UUID, list[str]] = defaultdict(list)
    sessions = NotebookSession.objects.visible_to(owner).exclude(setup={}).order_by("name")
    for name, kept in sessions.values_list("name", "setup"):
        setup = Setup.from_json(kept)
        for secret in setup.secrets:
            secrets[secret].append(name)
        for credential in {source.credential for source in setup.code if source.credential}:
            credentials[credential].append(name)
    return Uses(of_secrets=secrets, of_git_credentials=credentials)
