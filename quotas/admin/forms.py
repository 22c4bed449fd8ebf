"""Limits as operators type them."""

from datetime import timedelta
from functools import cache
from typing import Any, ClassVar

from django import forms
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.models import User
from quotas import sheet
from quotas.amounts import FIXED, OTHER_GPUS, gpu, label, ordered, parse, written
from quotas.models import Limit, ResourceProfile, Scope
from submarine_site.core.errors import InvalidInput

AMOUNT_HELP = "Such as “4”, “0.5”, “10 GiB” or “unlimited”; 0 is none."
UNTIL_HELP = "After which it takes itself back. Empty: for good."
BOOST = timedelta(days=7)
"""How long a boost lasts unless somebody says otherwise."""


def resource_choices() -> list[tuple[str, str]]:
    """What limits can be set for: GPUs of the classes that there are profiles or limits of."""
    classes = ResourceProfile.objects.filter(gpus__gt=0).order_by().values_list("accelerator")
    known = {gpu(name) for (name,) in classes.distinct()}
    limited = set(Limit.objects.order_by().values_list("resource", flat=True).distinct())
    names = ordered({*FIXED, *known, *limited} - {OTHER_GPUS})
    return [(name, label(name)) for name in (*names, OTHER_GPUS)]


def resource_field() -> forms.ChoiceField:
    """Return a choice of them that is read once for all forms of a page, and not before."""
    return forms.ChoiceField(choices=cache(resource_choices), widget=UnfoldAdminSelectWidget)


def amount_field() -> forms.CharField:
    return forms.CharField(max_length=40, widget=UnfoldAdminTextInputWidget, help_text=AMOUNT_HELP)


def _read(form: forms.BaseForm, resource: str | None) -> None:
    """Take the amount that was typed for what it means."""
    if resource and "amount" in form.cleaned_data:
        try:
            form.cleaned_data["amount"] = parse(resource, form.cleaned_data["amount"])
        except InvalidInput as refusal:
            form.add_error("amount", refusal.fields["amount"])


def _refuse_past(form: forms.BaseForm, name: str) -> None:
    until = form.cleaned_data.get(name)
    if until and name in form.changed_data and until <= timezone.now():
        form.add_error(name, "This is over already.")


class LimitForm(forms.ModelForm):  # type: ignore[type-arg]
    """A limit; where it stands below somebody's page, `scope` says for whom it is."""

    scope_of_all: ClassVar[Scope | None] = None
    instance: Limit

    class Meta:
        model = Limit
        fields = ("scope", "group", "user", "resource", "amount", "expires_at", "reason")

    class Media:
        js = ("js/check_limit.js",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.scope_of_all:
            self.instance.scope = self.scope_of_all
        if self.instance.pk:
            self.initial["amount"] = written(self.instance.resource, self.instance.amount)

    def clean(self) -> dict[str, Any]:
        """Say at each field what is wrong with it."""
        super().clean()
        scope = self.cleaned_data.get("scope")
        # What the page hides, the form does not ask for.
        if scope and scope != Scope.USER:
            self.cleaned_data["user"] = None
        if scope and scope not in {Scope.GROUP, Scope.POOL}:
            self.cleaned_data["group"] = None
        _read(self, self.cleaned_data.get("resource") or self.instance.resource)
        _refuse_past(self, "expires_at")
        return self.cleaned_data

    def validate_unique(self) -> None:
        """Look for its like also where the page, not the form, says whom it is for."""
        super().validate_unique()
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except ValidationError as refusal:
                self.add_error(None, refusal)


class LimitOfUserForm(LimitForm):
    scope_of_all = Scope.USER


class LimitOfMembersForm(LimitForm):
    scope_of_all = Scope.GROUP


class LimitOfPoolForm(LimitForm):
    scope_of_all = Scope.POOL


class BulkForm(forms.Form):
    """One limit for all who were chosen."""

    resource = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    amount = amount_field()
    until = forms.SplitDateTimeField(
        required=False, widget=UnfoldAdminSplitDateTimeWidget, help_text=UNTIL_HELP
    )
    reason = forms.CharField(max_length=200, required=False, widget=UnfoldAdminTextInputWidget)

    def __init__(self, *args: Any, is_boost: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["resource"] = resource_field()
        if is_boost:
            self.fields["until"].required = True
            self.fields["until"].initial = (timezone.now() + BOOST).replace(second=0, microsecond=0)
            self.fields["reason"].required = True

    def clean(self) -> dict[str, Any]:
        super().clean()
        _read(self, self.cleaned_data.get("resource"))
        _refuse_past(self, "until")
        return self.cleaned_data

    def limit(self, scope: Scope, whom: User | Group) -> Limit:
        """Return the limit for one of them, unsaved."""
        given = self.cleaned_data
        return Limit(
            scope=scope,
            user=whom if isinstance(whom, User) else None,
            group=whom if isinstance(whom, Group) else None,
            resource=given["resource"],
            amount=given["amount"],
            expires_at=given["until"],
            reason=given["reason"],
        )


class BulkOfGroupsForm(BulkForm):
    scope = forms.ChoiceField(
        label="For",
        choices=[(each.value, each.label) for each in (Scope.GROUP, Scope.POOL)],
        widget=UnfoldAdminSelectWidget,
    )
    field_order = ["scope"]


class ImportForm(forms.Form):
    """A file of limits."""

    file = forms.FileField(
        label="CSV file",
        max_length=200,
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"With the columns {', '.join(sheet.COLUMNS)}; at most {sheet.MAX_KIB} KiB.",
    )
