"""The forms of the admin that change a password."""

from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.forms import AdminOwnPasswordChangeForm, AdminPasswordChangeForm
from unfold.widgets import UnfoldBooleanWidget

from accounts import services
from accounts.models import ApiToken, User
from accounts.sign_in_failures import counted_attempt


class _RevokesTokens(forms.Form):
    """Offers to revoke the user's API tokens, which outlive a password. Stands before the form that
    changes it, and saves within the caller's transaction.
    """

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)  # type: ignore[arg-type]
        count = ApiToken.objects.live().filter(user=user).count()
        tokens = "1 API token" if count == 1 else f"{count} API tokens"
        self.fields["revoke_tokens"] = forms.BooleanField(
            required=False,
            label="Revoke all API tokens",
            help_text=f"{user.get_username()} has {tokens}. Programs keep their access with the "
            "new password unless these are revoked. Browsers are signed out in any case.",
            widget=UnfoldBooleanWidget,
        )

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002 - as Django calls it
        saved: User = super().save(commit)  # type: ignore[misc]
        if self.cleaned_data["revoke_tokens"]:
            services.revoke_all_tokens(user=saved)
        return saved


class ResetPasswordForm(_RevokesTokens, AdminPasswordChangeForm):  # type: ignore[misc]
    """Of another user, by an operator."""


class OwnPasswordForm(_RevokesTokens, AdminOwnPasswordChangeForm):  # type: ignore[misc]
    """Of one's own, by who knows the old one."""

    def __init__(self, user: User, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self._request = request

    def clean_old_password(self) -> str:
        """Raises `TooManyAttempts` beside what Django's own raises."""
        with counted_attempt(self._request):
            password: str = super().clean_old_password()
        return password
