"""The page on which people see what they did, and what was done to what is theirs."""

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from audit.actions import ACTIONS, KINDS
from audit.filters import AuditFilter
from audit.models import AuditEntry

if TYPE_CHECKING:
    from accounts.models import User

PAGE_SIZE = 50
_MAX_DIGITS = 18


@login_required
@require_GET
def activity(request: HttpRequest) -> HttpResponse:
    """What happened, newest first: a page of it, from the entry before which it begins."""
    user = cast("User", request.user)
    filters = AuditFilter(request.GET, AuditEntry.objects.concerning(user))
    entries = filters.qs if filters.is_valid() else AuditEntry.objects.none()
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) <= _MAX_DIGITS:
        entries = entries.filter(pk__lt=int(before))
    found = list(entries[: PAGE_SIZE + 1])
    page = found[:PAGE_SIZE]
    chosen = {name: request.GET[name] for name in ("action", "kind") if request.GET.get(name)}
    context: dict[str, Any] = {
        "entries": [(entry, entry.address_for(user)) for entry in page],
        "refused": not filters.is_valid(),
        "is_first": not before,
        "chosen": chosen,
        "actions": ACTIONS,
        "kinds": KINDS,
        "filtered": urlencode(chosen),
        "older": urlencode({**chosen, "before": page[-1].pk}) if len(found) > PAGE_SIZE else "",
    }
    return render(request, "audit/activity.html", context)
