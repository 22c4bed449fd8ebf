"""The pages of quotas: fetch what the user may see, call one service, render."""

from datetime import UTC, date, datetime, time
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.requests import user_of
from quotas import requests
from quotas.amounts import gpu, label, ordered, parse
from quotas.models import QuotaRequest, ResourceProfile
from quotas.standing import standing_of
from submarine_site.core.errors import DomainError, InvalidInput
from submarine_site.core.pages import answered, question

REQUESTS_SHOWN = 20


@login_required
@require_GET
def quota(request: HttpRequest) -> HttpResponse:
    """Why is my limit what it is, what holds it, how do I get more."""
    user = user_of(request)
    standing = standing_of(user.pk)
    bars = standing.bars()
    context = {
        "limits": [(bar, standing.bound(bar.resource)) for bar in bars],
        "holdings": standing.holdings(),
        "pools": standing.pools(),
        "requests": QuotaRequest.objects.visible_to(user).select_related("decided_by")[
            :REQUESTS_SHOWN
        ],
        "can_ask": any(bar.limit is not None for bar in bars),
    }
    return render(request, "quotas/quota.html", context)


@question
def new_request(request: HttpRequest) -> HttpResponse:
    """Ask for how much of what, until when and why. What was typed survives an error."""
    user = user_of(request)
    choices = _limited(user.pk)
    asked = {
        "resource": request.POST.get("resource", request.GET.get("resource", "")),
        "amount": request.POST.get("amount", ""),
        "until": request.POST.get("until", ""),
        "why": request.POST.get("why", ""),
    }
    refusal: DomainError | None = None
    if request.method == "POST":
        try:
            requests.refuse_resource(asked["resource"])
            requests.ask(
                user=user,
                resource=asked["resource"],
                amount=parse(asked["resource"], asked["amount"], offers_unlimited=False),
                until=_end_of(asked["until"]),
                why=asked["why"],
            )
        except DomainError as error:
            refusal = error
        else:
            messages.success(request, "Operators see your request. Their answer stands here.")
            return redirect("quota")
    context = {
        **asked,
        "choices": choices,
        "today": timezone.now().date().isoformat(),
        "back": reverse("quota"),
    }
    return answered(request, "quotas/new_request.html", context, refusal)


@login_required
def withdraw_request(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take it back, unless it is decided."""
    # Whoever had to sign in first is led here by GET.
    if request.method == "POST":
        user = user_of(request)
        asked = get_object_or_404(QuotaRequest.objects.visible_to(user), pk=pk)
        try:
            requests.withdraw(request=asked, by=user)
        except DomainError as refusal:
            messages.error(request, refusal.message)
    return redirect("quota")


def _limited(user_id: int) -> list[tuple[str, str, str]]:
    """What more can be asked of: each with its name, and how much there is and is in use."""
    standing = standing_of(user_id)
    # A class of GPUs that one has none of is named by no limit of one's own.
    offered = {gpu(each.accelerator) for each in ResourceProfile.objects.filter(gpus__gt=0)}
    bars = [standing.bar(name) for name in ordered({*standing.resources, *offered})]
    return [(bar.resource, label(bar.resource), bar.text) for bar in bars if bar.limit is not None]


def _end_of(day: str) -> datetime | None:
    """Return when a day ends that was chosen; None where none was."""
    if not day.strip():
        return None
    try:
        chosen = date.fromisoformat(day.strip())
    except ValueError:
        raise InvalidInput.field("until", "A day is needed, such as 2030-01-31.") from None
    return datetime.combine(chosen, time(23, 59, 59), tzinfo=UTC)
