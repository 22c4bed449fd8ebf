"""The form to sign in with."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, UsernameField

from accounts.models import MAX_USERNAME
from accounts.sign_in_failures import counted_attempt


class SignInForm(AuthenticationForm):
    # Django's own field tells the browser how long a name may be, and does not check it. A longer
    # one would not fit where failures are counted.
    username = UsernameField(
        max_length=MAX_USERNAME, widget=forms.TextInput(attrs={"autofocus": True})
    )
    error_messages = {
        "invalid_login": "The name and the password do not go together. Check both.",
        "inactive": "This account is switched off. Ask an operator.",
    }

    def clean(self) -> dict[str, Any]:
        """Raises `TooManyAttempts` beside what Django's own raises."""
        assert self.request is not None
        with counted_attempt(self.request):
            cleaned: dict[str, Any] = super().clean()
        return cleaned
