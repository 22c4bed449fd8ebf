"""Who sent a request."""

from typing import cast

from django.http import HttpRequest
from rest_framework.request import Request

from accounts.models import User


def user_of(request: HttpRequest | Request) -> User:
    """The person who sent this request, which was let in only because they had signed in."""
    return cast("User", request.user)
