"""How a program says who it is: by token, or by name and password to get one."""

from typing import Any

from django.contrib.auth import authenticate
from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    SessionAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import MAX_USERNAME, ApiToken, User
from accounts.permissions import needed
from accounts.scopes import limited_to
from accounts.services import find_token
from accounts.sign_in_failures import count_bad_credential, counted_attempt


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <API token>`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, secret = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        credential = secret.decode("ascii", "replace").strip()
        token = find_token(credential)
        if token is None:
            count_bad_credential(credential, address=request.META.get("REMOTE_ADDR", ""))
            raise AuthenticationFailed(
                "The API token is unknown, revoked or expired.", code="bad_token"
            )
        ApiToken.objects.stamp(token, address=request.META.get("REMOTE_ADDR", ""))
        return limited_to(token.scopes, token.user), token

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        return 'Bearer realm="submarine"'


class PasswordAuthentication(BasicAuthentication):
    """`Authorization: Basic`, throttled as every sign-in is. Never asked for: browsers would
    keep the password and send it along from other sites' pages.
    """

    def authenticate_credentials(
        self, userid: str, password: str, request: Request | None = None
    ) -> tuple[User, None]:
        assert request is not None
        with counted_attempt(request._request):  # noqa: SLF001
            user = None
            # What cannot be a name is not looked up or kept (CVE-2026-54338).
            if len(userid) <= MAX_USERNAME and "\0" not in userid:
                user = authenticate(request._request, username=userid, password=password)  # noqa: SLF001
            if not isinstance(user, User):
                raise AuthenticationFailed(
                    "The name or the password is not right.", code="bad_credentials"
                )
        return user, None

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        return 'Bearer realm="submarine"'


class SignInAuthentication(SessionAuthentication):
    """A browser's sign-in, for requests without an `Authorization` header: one of a kind that is
    not known is refused rather than replaced by the cookie.
    """

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        if "Authorization" in request.headers:
            return None
        return super().authenticate(request)


class _BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = BearerAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002
        return {"type": "http", "scheme": "bearer"}

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[str]]:
        """Say which scope the operation takes."""
        scope = needed(auto_schema.view, auto_schema.method)
        return {self.name: [str(scope)] if scope else []}


class _PasswordScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = PasswordAuthentication
    name = "password"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002
        return {"type": "http", "scheme": "basic"}


class _SignInScheme(SessionScheme):  # type: ignore[no-untyped-call]
    target_class = SignInAuthentication  # type: ignore[assignment] # of the stubs' subclass alone
