"""Has what operators change in the admin be recorded, with what it was before."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.validators import EMPTY_VALUES
from django.db import models, transaction
from django.http import HttpRequest

from audit.services import entry, record, record_all

NOT_KEPT = "(not kept)"

# Of whatever model: never to be read in the log. What is added to pods may hold credentials.
_PASSWORDS = {"password", "password1", "password2"}
_SECRET = {*_PASSWORDS, "pod_patch"}


class Audited:
    """A model's page of the admin whose changes are in the audit log as `<audit_kind>.created`,
    `.changed` and `.deleted`. Stands before `ModelAdmin`.
    """

    audit_kind: str

    def construct_change_message(
        self,
        request: HttpRequest,
        form: Any,
        formsets: Any,
        add: bool = False,  # noqa: FBT001, FBT002
    ) -> Any:
        """Record what the form changed: Django asks for this once what it saved is saved."""
        # The form for a password has its user.
        obj = getattr(form, "instance", None) or form.user
        was, now = (
            {name: _plain(given.get(name)) for name in sorted(form.changed_data)}
            for given in ({} if add else form.initial, form.cleaned_data)
        )
        # Django says that a password changed, and has neither of the two here.
        changed = [
            name for name in now if name in _PASSWORDS or _said(now[name]) != _said(was[name])
        ]
        if add or changed:
            record(
                f"{self.audit_kind}.{'created' if add else 'changed'}",
                obj,
                before={} if add else _kept(was, changed),
                after=_kept(now, changed),
            )
        return super().construct_change_message(request, form, formsets, add)  # type: ignore[misc]

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            record(f"{self.audit_kind}.deleted", obj)
            super().delete_model(request, obj)  # type: ignore[misc]

    def delete_queryset(self, request: HttpRequest, queryset: Iterable[Any]) -> None:
        with transaction.atomic():
            record_all(*[entry(f"{self.audit_kind}.deleted", obj) for obj in queryset])
            super().delete_queryset(request, queryset)  # type: ignore[misc]


def _said(value: Any) -> Any:
    """The value, or None of whichever kind of nothing. Zero is something."""
    return None if value in EMPTY_VALUES else value


def _kept(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: NOT_KEPT if name in _SECRET else values[name] for name in names}


def _plain(value: Any) -> Any:
    """What a JSON column can hold."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, models.Model):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, models.QuerySet | list | tuple | set):
        return [_plain(each) for each in value]
    return str(value)
