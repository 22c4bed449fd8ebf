"""What is said by mail about requests for more."""

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse

from accounts.models import User
from quotas.amounts import show
from quotas.models import QuotaRequest

DECIDES = "quotas.change_quotarequest"
"""The permission of who decides."""


def tell_operators(request: QuotaRequest) -> None:
    """Write to each who can decide and has an address; none sees the others'."""
    deciders = User.objects.with_perm(
        DECIDES, backend="django.contrib.auth.backends.ModelBackend"
    ).filter(is_staff=True)
    addresses = list(deciders.exclude(email="").values_list("email", flat=True))
    _send(
        f"{request.user} asks for {_asked(request)}",
        f"{request.user} asks for {_asked(request)}.\n\n{request.why}\n\n"
        f"Decide: {settings.PAGES_URL}{reverse('admin:index')}\n",
        addresses,
    )


def tell_user(request: QuotaRequest) -> None:
    """Write to whoever asked, if they have an address."""
    if request.user.email:
        said = f"\n\n{request.decided_by or 'An operator'} says:\n\n{request.word}"
        _send(
            f"Your request is {request.state}: {_asked(request)}",
            f"Your request for {_asked(request)} is {request.state}."
            f"{said if request.word else ''}\n\n"
            f"What you may have: {settings.PAGES_URL}{reverse('quota')}\n",
            [request.user.email],
        )


def _asked(request: QuotaRequest) -> str:
    amount = show(request.resource, request.amount)
    return f"{amount} until {request.until:%Y-%m-%d %H:%M} UTC" if request.until else amount


def _send(subject: str, body: str, to: list[str]) -> None:
    """Send one message that shows no receiver to another; none where mail is not configured."""
    if settings.EMAIL_HOST and to:
        EmailMessage(subject=subject, body=body, bcc=to).send()
