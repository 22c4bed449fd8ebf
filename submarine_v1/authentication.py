"""How Submarine's clients are let in that show nothing. What they assert of themselves counts for
nothing: neither `User-Agent` nor `ownerId` nor `?id=`.
"""

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import User
from submarine_site.core.networks import is_loopback


class NoAuthentication(BaseAuthentication):
    """The last of the authenticators: whoever brings no credential is the user that the site names
    for that, if it names one and the request has not left this machine.

    A credential that no other has taken, such as a password, is refused; with the cookie of a
    browser's sign-in one is nobody. Its owner would act as somebody else.
    """

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        if "Authorization" in request.headers:
            raise AuthenticationFailed("This API takes a token, as `Authorization: Bearer`.")
        if not settings.V1_AUTH_NONE or settings.SESSION_COOKIE_NAME in request.COOKIES:
            return None
        ends = (request.META.get("SERVER_NAME", ""), request.META.get("REMOTE_ADDR", ""))
        if not all(map(is_loopback, ends)):
            return None
        user = User.objects.filter(username=settings.V1_AUTH_NONE, is_active=True).first()
        return (user, None) if user else None
