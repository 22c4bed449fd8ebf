"""The form to sign in with."""

from django.contrib.auth.forms import AuthenticationForm


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": "The name and the password do not go together. Check both.",
        "inactive": "This account is switched off. Ask an operator.",
    }
