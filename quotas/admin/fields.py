"""What pages on which limits stand have in common."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.forms import Field
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from unfold.admin import TabularInline

from accounts.requests import user_of
from quotas.admin.forms import (
    LimitOfMembersForm,
    LimitOfPoolForm,
    LimitOfUserForm,
    amount_field,
    resource_field,
)
from quotas.models import Limit
from quotas.overview import Standing, key_of

SET = ("quotas.add_limit", "quotas.change_limit")
"""What whoever sets limits for several has to have."""


_METER = '<meter aria-hidden="true" min="0" max="{most}" high="{most}" value="{used}"></meter>'


def bars(standings: Iterable[Standing]) -> str:
    """Return bars of use against limits, as HTML. A list has very many: no template is fast."""
    rows = (
        (
            mark_safe(' class="quota-over"') if each.is_over else "",
            ""
            if each.bound.amount is None
            else format_html(_METER, most=each.bound.amount or 1, used=each.used),
            each.text,
            mark_safe(" <strong>over</strong>") if each.is_over else "",
        )
        for each in standings
    )
    return format_html(
        '<ul class="quota-bars">{}</ul>',
        format_html_join("", "<li{}>{}<span>{}{}</span></li>", rows),
    )


def set_now(limit: Limit, request: HttpRequest) -> None:
    """Keep who sets it."""
    limit.set_by, limit.set_at = user_of(request), timezone.now()


class LimitFields:
    """The fields of a limit: what it is of by choice, how much as people write it."""

    def formfield_for_dbfield(
        self, db_field: "models.Field[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> Field | None:
        if db_field.name == "resource":
            return resource_field()
        if db_field.name == "amount":
            return amount_field()
        shown: Field | None = super().formfield_for_dbfield(  # type: ignore[misc]
            db_field, request, **kwargs
        )
        return shown


class _EachOnce(BaseInlineFormSet):  # type: ignore[type-arg]
    def clean(self) -> None:
        super().clean()
        kept = [
            form.instance
            for form in self.forms
            if form.has_changed() | bool(form.instance.pk) and form not in self.deleted_forms
        ]
        keys = [key_of(limit) for limit in kept if limit.resource]
        if len(set(keys)) < len(keys):
            raise ValidationError("Two of these are for the same.")


class _LimitInline(LimitFields, TabularInline):
    model = Limit
    formset = _EachOnce
    fields = ("resource", "amount", "expires_at", "reason")
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Limit]:
        limits: QuerySet[Limit] = super().get_queryset(request)
        return limits.filter(scope=self.form.scope_of_all)


class OfUser(_LimitInline):
    form = LimitOfUserForm
    fk_name = "user"
    verbose_name = "limit"
    verbose_name_plural = "Limits of their own"


class OfMembers(_LimitInline):
    form = LimitOfMembersForm
    verbose_name = "limit for each member"
    verbose_name_plural = "Limits for each member"


class OfPool(_LimitInline):
    form = LimitOfPoolForm
    verbose_name = "limit of the pool"
    verbose_name_plural = "Limits of the pool, which its members share"
