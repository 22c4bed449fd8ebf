"""What runs in a session, as it asks the service: by the credential of its run, which is let in to
that session alone. Views state in `allowed_to_runs` what it may do, by the action of a viewset,
else by the method in lower case; what they do not state it may not.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from accounts.models import User
from accounts.permissions import verb_of
from accounts.requests import user_of
from accounts.scopes import Scope, limited_to
from accounts.sign_in_failures import count_bad_credential
from notebooks.credentials import RUN_PREFIX, run_of
from notebooks.querysets import NotebookSessionQuerySet
from notebooks.selectors import session_in, sessions_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPass:
    """What a request shows that comes from within a session: it is let in to that alone."""

    session_id: UUID
    scopes: frozenset[Scope] = frozenset({Scope.READ})


class RunAuthentication(BaseAuthentication):
    """`Authorization: Bearer <credential of a run>`, for as long as the run is wanted.

    Whether the view allows it is asked here: permissions are what views have others of.
    """

    def authenticate(self, request: Request) -> tuple[User, RunPass] | None:
        scheme, _, raw = get_authorization_header(request).partition(b" ")
        credential = raw.decode("ascii", "replace").strip()
        if scheme.lower() != b"bearer" or not credential.startswith(RUN_PREFIX):
            return None
        run_id = run_of(credential)
        session = session_in(run_id) if run_id else None
        if session is None:
            count_bad_credential(credential, address=request.META.get("REMOTE_ADDR", ""))
            raise AuthenticationFailed(
                "The credential is of no run, or of one that has ended.", code="bad_token"
            )
        view = (request.parser_context or {}).get("view")
        if not _allows(view, request.method or ""):
            raise PermissionDenied(
                "What runs in a session may read that session, and nothing else."
            )
        shown = RunPass(session_id=session.pk)
        return limited_to(shown.scopes, session.owner), shown

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        return 'Bearer realm="submarine"'


def _allows(view: Any, method: str) -> bool:
    return verb_of(view, method) in getattr(view, "allowed_to_runs", frozenset())


def sessions_for(request: Request) -> NotebookSessionQuerySet:
    """The sessions that this request may be told of: from within one, that one."""
    sessions = sessions_of(user_of(request))
    if isinstance(request.auth, RunPass):
        return sessions.filter(pk=request.auth.session_id)
    return sessions


class _RunScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = RunAuthentication
    name = "run"

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """Name it where it lets in."""
        return [{self.name: []}] if _allows(auto_schema.view, auto_schema.method) else []

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002
        return {"type": "http", "scheme": "bearer"}
