"""How Submarine's clients say who they are. What they assert of themselves counts for nothing:
neither `User-Agent` nor `ownerId` nor `?id=`.
"""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import User
from notebooks.credentials import RUN_PREFIX, run_of
from notebooks.selectors import session_in
from submarine_site.core.networks import is_loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPass:
    """What a request shows that comes from within a session: it is let in to that alone."""

    session_id: UUID


class RunAuthentication(BaseAuthentication):
    """`Authorization: Bearer <credential of a run>`, for as long as the run is wanted."""

    def authenticate(self, request: Request) -> tuple[User, RunPass] | None:
        scheme, _, raw = get_authorization_header(request).partition(b" ")
        credential = raw.decode("ascii", "replace").strip()
        if scheme.lower() != b"bearer" or not credential.startswith(RUN_PREFIX):
            return None
        run_id = run_of(credential)
        session = session_in(run_id) if run_id else None
        if session is None:
            raise AuthenticationFailed(
                "The credential is of no run, or of one that has ended.", code="bad_token"
            )
        return session.owner, RunPass(session_id=session.pk)

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        return 'Bearer realm="submarine"'


class NoAuthentication(BaseAuthentication):
    """Whoever brings no credential is the user that the site names for that, if it names one and
    the request has not left this machine.
    """

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        if not settings.V1_AUTH_NONE or get_authorization_header(request):
            return None
        ends = (request.META.get("SERVER_NAME", ""), request.META.get("REMOTE_ADDR", ""))
        if not all(map(is_loopback, ends)):
            return None
        user = User.objects.filter(username=settings.V1_AUTH_NONE, is_active=True).first()
        return (user, None) if user else None
