"""Holds a browser's session to its sign-in record: when the record ends, so does the session.

The record is made on the first request after a sign-in, whichever page or backend signed in.
"""

from collections.abc import Callable
from typing import cast
from uuid import UUID

from django.contrib.auth import logout
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.models import ApiToken, SignIn, User
from submarine_site.core.http import GetResponse
from submarine_site.core.streams import Stream

SESSION_KEY = "sign_in"
_AGENT_LENGTH = 200


def _begin(request: HttpRequest, user: User) -> None:
    record = SignIn.objects.create(
        user=user,
        auth_hash=user.get_session_auth_hash(),
        address=request.META.get("REMOTE_ADDR") or None,
        user_agent=request.headers.get("User-Agent", "")[:_AGENT_LENGTH],
    )
    request.session[SESSION_KEY] = str(record.pk)


def sign_in_id(request: HttpRequest) -> UUID:
    """The record of the browser that sent this request, which must have signed in."""
    return UUID(request.session[SESSION_KEY])


def _holds(request: HttpRequest) -> Callable[[], bool]:
    """Return a function that tells whether the credential of this request is still valid."""
    auth, user = getattr(request, "auth", None), cast("User", request.user)
    if isinstance(auth, ApiToken):
        return lambda: ApiToken.objects.live().filter(pk=auth.pk).exists()
    if SESSION_KEY in request.session:
        pk = sign_in_id(request)
        return lambda: _is_signed_in(pk, user.pk)
    return lambda: User.objects.filter(pk=user.pk, is_active=True).exists()


def _is_signed_in(pk: UUID, user_id: int) -> bool:
    records = SignIn.objects.live().select_related("user")
    record = records.filter(pk=pk, user=user_id).first()
    return record is not None and record.auth_hash == record.user.get_session_auth_hash()


class SignInMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if isinstance(request.user, User):
            if SESSION_KEY not in request.session:
                _begin(request, request.user)
            else:
                self._continue(request, request.user)
        response = self.get_response(request)
        if isinstance(response, Stream):
            response.is_allowed = _holds(request)
        return response

    def _continue(self, request: HttpRequest, user: User) -> None:
        records = SignIn.objects.filter(pk=sign_in_id(request))
        record = records.live().filter(user=user).first()
        if record is None:
            logout(request)
        elif record.auth_hash != user.get_session_auth_hash():
            # Django let this browser's session outlive the change of password that was made in it.
            records.end()
            _begin(request, user)
        else:
            SignIn.objects.stamp(record)
