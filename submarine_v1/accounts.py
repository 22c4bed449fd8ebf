"""How Submarine's clients sign in: with the password itself, for a token of ours that ends soon."""

import re
from contextlib import suppress
from datetime import timedelta

from django.contrib.auth import authenticate
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import services
from accounts.authentication import BearerAuthentication
from accounts.models import MAX_USERNAME, User
from accounts.requests import user_of
from accounts.scopes import Scope, grantable
from accounts.sign_in_failures import counted_attempt
from submarine_site.core.errors import DomainError
from submarine_v1 import shapes
from submarine_v1.base import V1View, given, ok
from submarine_v1.serializers import SignInInput

TOKEN_LIFE = timedelta(days=1)
UNKNOWN = "User Not Found. Please try again!"
_MD5 = re.compile("[0-9a-fA-F]{32}")


class SignInView(V1View):
    authentication_classes = []
    permission_classes = []


class Token(SignInView):
    def post(self, request: Request) -> Response:
        return ok(_sign_in(request)[1])


class Login(SignInView):
    """The workbench sends the MD5 of the password, by which nobody can be let in: passwords are
    kept in a form that cannot be compared with it.
    """

    def post(self, request: Request) -> Response:
        user, token = _sign_in(request)
        return ok(shapes.signed_in(user, token))


class Logout(SignInView):
    def post(self, request: Request) -> Response:
        """End the token that is sent along; with none there is nothing to end."""
        with suppress(AuthenticationFailed):
            if found := BearerAuthentication().authenticate(request):
                services.revoke_token(token=found[1])
        return ok(result=True)


class UserInfo(V1View):
    needs = {"get": None}

    def get(self, request: Request) -> Response:
        return ok(shapes.user_info(user_of(request)))


def token_scopes(user: User) -> list[Scope]:
    """What this API has: sessions are opened elsewhere."""
    return [each for each in grantable(user) if each != Scope.ACCESS]


def _sign_in(request: Request) -> tuple[User, str]:
    """Whom name and password let in, throttled as on the page, and a token just made."""
    asked = given(SignInInput, request, nothing=UNKNOWN)
    with counted_attempt(request._request):  # noqa: SLF001
        user = None
        # What cannot be a name is not looked up or kept.
        if len(asked["username"]) <= MAX_USERNAME:
            user = authenticate(request._request, **asked)  # noqa: SLF001
        if not isinstance(user, User):
            hint = (
                " Send the password itself: an MD5 of it lets nobody in here."
                if _MD5.fullmatch(asked["password"])
                else ""
            )
            raise DomainError(UNKNOWN + hint, code="bad_credentials", status=401)
    made = services.create_token(
        user=user, name="Submarine client", scopes=token_scopes(user), life=TOKEN_LIFE
    )
    return user, made.secret
