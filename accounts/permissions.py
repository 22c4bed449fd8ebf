"""Who shows a credential may do what its scopes say. What no view states is open to none.

A view states in `needs` the scope of each of its verbs: by the action of a viewset, else by the
method in lower case. `None` is for what any credential may do. What is not stated takes `read`
where the method is safe, and no credential may do it where it is not.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.scopes import Scope, scopes_of

if TYPE_CHECKING:
    # Which itself imports the permissions that are the default.
    from rest_framework.views import APIView


class InsufficientScope(PermissionDenied):
    """The credential lacks the scope that `details` names."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"This takes a token with the scope “{scope}”.", code="insufficient_scope")
        self.details = {"scope": str(scope)}


def verb_of(view: Any, method: str) -> str:
    """What views state things by: the action of a viewset, else the method in lower case."""
    return str(getattr(view, "action", None) or method.lower())


def needed(view: Any, method: str) -> Scope | None:
    """The scope that this takes; None: any. Raises `LookupError` where the view does not say."""
    needs: Mapping[str, Scope | None] = getattr(view, "needs", {})
    verb = verb_of(view, method)
    if verb not in needs and method in SAFE_METHODS:
        return Scope.READ
    return needs[verb]


class HasScope(BasePermission):
    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.auth is None or not _has(view, request.method or ""):
            return True
        try:
            scope = needed(view, request.method or "")
        except LookupError:
            return False
        if scope is not None and scope not in scopes_of(request):
            raise InsufficientScope(scope)
        return True


def _has(view: "APIView", method: str) -> bool:
    """Whether the view knows this method, which is answered with 405 otherwise."""
    verb = getattr(view, "action", method.lower())
    return verb is not None and hasattr(view, verb)
