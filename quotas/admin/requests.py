"""Requests for more, to decide."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, QuerySet, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from accounts.requests import user_of
from quotas import requests
from quotas.admin.fields import bars
from quotas.admin.forms import UNTIL_HELP, amount_field
from quotas.amounts import label, parse, show, written
from quotas.inspector import holdings_of
from quotas.limits import explained_bounds_of
from quotas.models import QuotaRequest
from quotas.overview import Standing, standings
from submarine_site.core.errors import DomainError, InvalidInput

State = QuotaRequest.State


def open_requests(_: HttpRequest) -> str:
    """Return how many wait to be decided, for the navigation."""
    return str(QuotaRequest.objects.filter(state=State.OPEN).count())


class DecideForm(forms.Form):
    """What is given; to refuse, the word alone is read."""

    amount = amount_field()
    until = forms.SplitDateTimeField(
        required=False, widget=UnfoldAdminSplitDateTimeWidget, help_text=UNTIL_HELP
    )
    word = forms.CharField(
        max_length=500,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        label="Your word to them",
    )

    def __init__(self, data: Any, *, asked: QuotaRequest) -> None:
        initial = {"amount": written(asked.resource, asked.amount), "until": asked.until}
        super().__init__(data, initial=initial)
        self.fields["amount"].help_text = ""
        self.resource = asked.resource

    def clean_amount(self) -> int:
        try:
            amount = parse(self.resource, self.cleaned_data["amount"], offers_unlimited=False)
        except InvalidInput as refusal:
            raise forms.ValidationError(refusal.fields["amount"]) from refusal
        if amount is None:
            raise forms.ValidationError("An amount is needed: nobody is given no limit at all.")
        return amount


@admin.register(QuotaRequest)
class QuotaRequestAdmin(ModelAdmin):
    list_display = ("user", "wanted", "until", "why", "state_label", "created_at", "decided_by")
    list_filter = ("state", "resource", "created_at")
    list_select_related = ("user", "decided_by")
    list_per_page = 50
    search_fields = ("user__username", "why", "word")
    ordering = (Case(When(state=State.OPEN, then=0), default=1), "-created_at")

    def has_add_permission(self, *_: Any) -> bool:
        return False

    def has_delete_permission(self, *_: Any) -> bool:
        return False

    @admin.display(description="asks for", ordering="resource")
    def wanted(self, asked: QuotaRequest) -> str:
        return show(asked.resource, asked.amount)

    @display(  # type: ignore[untyped-decorator]
        description="state",
        ordering="state",
        label={State.OPEN: "warning", State.GRANTED: "success", State.REFUSED: "danger"},
    )
    def state_label(self, asked: QuotaRequest) -> str:
        return asked.state

    def get_queryset(self, request: HttpRequest) -> QuerySet[QuotaRequest]:
        asked: QuerySet[QuotaRequest] = super().get_queryset(request)
        return asked.select_related("user", "decided_by")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002
        extra_context: Any = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Show what is asked for against what there is, and take the decision."""
        asked = self.get_object(request, object_id)
        if not self.has_view_permission(request, asked):
            raise PermissionDenied
        if asked is None:
            raise Http404
        form = DecideForm(request.POST or None, asked=asked)
        if request.method == "POST":
            if not self.has_change_permission(request, asked):
                raise PermissionDenied
            if decided := self._decide(request, asked, form):
                messages.success(request, decided)
                return redirect("admin:quotas_quotarequest_changelist")
        bound = explained_bounds_of(asked.user_id).of_user(asked.resource)
        used = standings([asked.user_id]).used.get(asked.user_id, {}).get(asked.resource, 0)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{asked.user} asks for {show(asked.resource, asked.amount)}",
            "opts": self.opts,
            "asked": asked,
            "wanted": show(asked.resource, asked.amount),
            "of": label(asked.resource),
            "bar": bars([Standing(resource=asked.resource, used=used, bound=bound)]),
            "bound": bound,
            "held": holdings_of(asked.user),
            "form": form,
            "may_decide": self.has_change_permission(request, asked) and asked.state == State.OPEN,
        }
        return render(request, "admin/quotas/decide.html", context)

    def _decide(self, request: HttpRequest, asked: QuotaRequest, form: DecideForm) -> str:
        """Return what was done; empty: nothing, and the form says why."""
        granting = "_grant" in request.POST
        is_valid = form.is_valid()
        if not (is_valid if granting else "word" not in form.errors):
            return ""
        given = form.cleaned_data
        actor = user_of(request)
        try:
            if granting:
                requests.grant(
                    request=asked,
                    by=actor,
                    amount=given["amount"],
                    until=given["until"],
                    word=given["word"],
                )
                return f"Granted {asked.user} {show(asked.resource, given['amount'])}."
            requests.refuse(request=asked, by=actor, word=given["word"])
        except DomainError as refusal:
            at = {name: said for name, said in refusal.fields.items() if name in form.fields}
            form.add_error(None, at or refusal.message)
            return ""
        return f"Refused {asked.user} {show(asked.resource, asked.amount)}."
