"""Signing in and out, one's own account, and what a throttled sign-in is told."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, PasswordChangeView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.views.decorators.http import require_GET, require_POST

from accounts import program_logins, services
from accounts.forms import SignInForm
from accounts.middleware import sign_in_id
from accounts.models import ApiToken, GitCredential, SignIn, UserSecret
from accounts.password_forms import OwnPasswordForm
from accounts.requests import user_of
from accounts.scopes import DEFAULT_SCOPES, grantable
from accounts.sign_in_failures import TooManyAttempts
from audit.audited import NOT_KEPT
from audit.services import record
from submarine_site.core.envelope import is_enveloped
from submarine_site.core.errors import DomainError
from submarine_site.core.http import safe_path
from submarine_site.core.open_views import open_to_all
from submarine_site.core.pages import answered, question
from submarine_site.core.responses import error_response, wants_api

_PASSWORD = {"password": NOT_KEPT}


@open_to_all
class SignInView(LoginView):
    """The page to sign in on, for people and operators alike."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)
        except TooManyAttempts as refusal:
            return _too_many_attempts(request, refusal.message, refusal.retry_after)

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        """Where `next` says, if it is a path of ours, and not of this very page."""
        asked = request or self.request
        path = safe_path(asked.POST.get("next", asked.GET.get("next", "")), default="")
        # Django takes a way back here for a fault of ours.
        return "" if path == asked.path else path


class ChangePasswordView(PasswordChangeView):
    """The admin's page to change one's own password on."""

    template_name = "accounts/admin/own_password.html"
    form_class = OwnPasswordForm
    success_url = reverse_lazy("admin:password_change_done")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)
        except TooManyAttempts as refusal:
            return _too_many_attempts(request, refusal.message, refusal.retry_after)

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**admin.site.each_context(self.request), **super().get_context_data(**kwargs)}

    def form_valid(self, form: OwnPasswordForm) -> HttpResponse:  # type: ignore[override]
        with transaction.atomic():
            response = super().form_valid(form)
            record("user.changed", form.user, before=_PASSWORD, after=_PASSWORD)
        return response


@require_GET
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Where the admin sends whom it does not let in: on to sign in, unless they have."""
    if request.user.is_authenticated and not user_of(request).is_staff:
        # To the page to sign in on and back would be a loop.
        raise PermissionDenied
    following = safe_path(request.GET.get("next", ""), default=reverse("admin:index"))
    return redirect_to_login(following)


@open_to_all
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign this browser out, and end what it holds open at the gateway."""
    if request.user.is_authenticated:
        SignIn.objects.filter(pk=sign_in_id(request)).end()
    logout(request)
    return redirect("sign-in")


@question
def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    """Ask, then end every sign-in of the user, this one too."""
    if request.method != "POST":
        return render(request, "accounts/sign_out_everywhere.html")
    services.sign_out_everywhere(user=user_of(request))
    logout(request)
    return redirect("sign-in")


def _account_context(request: HttpRequest) -> dict[str, Any]:
    user = user_of(request)
    return {
        "tokens": ApiToken.objects.visible_to(user),
        "sign_ins": SignIn.objects.live().filter(user=user)[:20],
        "this_sign_in": sign_in_id(request),
        "secrets": UserSecret.objects.visible_to(user).defer("sealed"),
        "git_credentials": GitCredential.objects.visible_to(user).defer("sealed"),
    }


@login_required
@require_GET
def account(request: HttpRequest) -> HttpResponse:
    """Tokens, secrets, git credentials, and the browsers one is signed in on."""
    return render(request, "accounts/account.html", _account_context(request))


@question
def create_token(request: HttpRequest) -> HttpResponse:
    """Ask what an API token is for, then make it and show it this once."""
    user = user_of(request)
    refusal: DomainError | None = None
    made = None
    days = services.default_life().days
    scopes: Collection[str] = DEFAULT_SCOPES
    if request.method == "POST":
        days = _days(request.POST.get("days", ""))
        scopes = request.POST.getlist("scopes")
        try:
            made = services.create_token(
                user=user,
                name=request.POST.get("name", ""),
                scopes=scopes,
                life=timedelta(days=days),
            )
        except DomainError as error:
            refusal = error
    context = {
        "name": request.POST.get("name", ""),
        "offered": grantable(user),
        "chosen": scopes,
        "lives": _lives(),
        "days": days,
        "made": made,
        "back": reverse("account"),
    }
    response = answered(request, "accounts/new_token.html", context, refusal)
    response["Cache-Control"] = "no-store"
    return response


def _days(typed: str) -> int:
    """The days chosen; none where these are none that were offered."""
    return next((days for days in _lives() if str(days) == typed), 0)


def _lives() -> list[int]:
    """How many days a token may be chosen to last."""
    longest = services.longest_life().days
    return sorted({longest, *(days for days in (1, 7, 30, 90, 180, 365) if days < longest)})


@question
def revoke_all_tokens(request: HttpRequest) -> HttpResponse:
    """Ask, then end all API tokens of one's own."""
    if request.method != "POST":
        context = {"back": reverse("account")}
        return render(request, "accounts/revoke_all_tokens.html", context)
    ended = services.revoke_all_tokens(user=user_of(request))
    messages.success(request, f"Revoked {ended} token{'' if ended == 1 else 's'}.")
    return redirect("account")


@question
def revoke_token(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask, then end an API token of one's own."""
    token = get_object_or_404(ApiToken.objects.visible_to(user_of(request)), pk=pk)
    if request.method != "POST":
        return render(request, "accounts/revoke_token.html", {"token": token})
    services.revoke_token(token=token)
    messages.success(request, f"Revoked “{token.name}”.")
    return redirect("account")


@question
def allow_program(request: HttpRequest) -> HttpResponse:
    """Ask whether a program may have a token, then show the code that it gets one for."""
    user = user_of(request)
    challenge = request.GET.get("challenge", "")
    name = request.GET.get("name", "")
    scopes: Collection[str] = request.GET.getlist("scopes") or program_logins.USUAL_SCOPES
    code = ""
    misled = False
    refusal: DomainError | None = None
    try:
        name = program_logins.checked(challenge=challenge, name=name)
    except DomainError as error:
        misled, refusal = True, error
    if request.method == "POST" and not misled:
        scopes = request.POST.getlist("scopes")
        try:
            code = program_logins.allow(user=user, challenge=challenge, name=name, scopes=scopes)
        except DomainError as error:
            refusal = error
    context = {
        "name": name,
        "code": code,
        "misled": misled,
        "offered": grantable(user),
        "chosen": scopes,
        "token_days": services.default_life().days,
        "back": reverse("account"),
    }
    response = answered(request, "accounts/allow_program.html", context, refusal)
    response["Cache-Control"] = "no-store"
    return response


def locked_out(
    request: HttpRequest, _response: HttpResponse | None = None, _credentials: Any = None
) -> HttpResponse:
    """What too many wrong passwords are answered with, on page and API."""
    wait: timedelta = settings.AXES_COOLOFF_TIME
    minutes = int(wait.total_seconds() // 60)
    message = f"Too many wrong passwords. Try again in {minutes} minutes."
    return _too_many_attempts(request, message, int(wait.total_seconds()))


def _too_many_attempts(request: HttpRequest, message: str, seconds: int) -> HttpResponse:
    code, status = TooManyAttempts.code, TooManyAttempts.status
    response: HttpResponse
    if wants_api(request):
        response = error_response(request, code, message, status=status)
    else:
        context = {"title": "Too many attempts", "message": message}
        response = render(request, "error.html", context, status=status)
    # Submarine's clients would sleep that long and say nothing.
    if not is_enveloped(request.path):
        response["Retry-After"] = str(seconds)
    return response
