"""What no view states is open to no credential, of whatever kind."""

from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from accounts.models import User
from accounts.scopes import Scope

EVERY = tuple(Scope)


@dataclass(frozen=True)
class Shown:
    """A credential of some kind."""

    scopes: tuple[str, ...] = ()


class Silent(APIView):
    """States nothing."""

    def get(self, request: Request) -> Response:
        return Response("read")

    def post(self, request: Request) -> Response:
        return Response("done")


class Stated(Silent):
    needs = {"post": Scope.LAUNCH}


@pytest.mark.parametrize(
    ("view", "method", "shown", "status", "code"),
    [
        (Silent, "get", Shown(("read",)), 200, ""),
        (Silent, "get", Shown(("launch", "access", "manage", "admin")), 403, "insufficient_scope"),
        (Silent, "post", Shown(EVERY), 403, "permission_denied"),
        (Silent, "post", None, 200, ""),
        (Silent, "delete", Shown(), 405, "method_not_allowed"),
        (Stated, "post", Shown(("launch",)), 200, ""),
        (Stated, "post", Shown(("read", "access", "manage", "admin")), 403, "insufficient_scope"),
        (Stated, "post", object(), 403, "insufficient_scope"),
        (Stated, "get", object(), 403, "insufficient_scope"),
    ],
)
def test_a_request_may_do_what_its_credential_says(
    view: type[APIView], method: str, shown: Any, status: int, code: str
) -> None:
    request = getattr(APIRequestFactory(), method)("/")
    force_authenticate(request, User(username="ada"), shown)
    answer = view.as_view()(request)
    assert (answer.status_code, answer.data.get("code", "") if status != 200 else "") == (
        status,
        code,
    )
