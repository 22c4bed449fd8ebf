"""The pages on which users entrust secrets and git credentials. No page shows a value again."""

import re
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from accounts import vault
from accounts.models import GitCredential, GitCredentialKind, SecretKind, UserSecret
from accounts.requests import user_of
from accounts.uses import uses_by
from submarine_site.core.errors import DomainError, InvalidInput
from submarine_site.core.pages import answered, question

NEW_KEY = "new_ssh_key"
"""The page's third kind of git credential: a key that is made here."""


@question
@sensitive_post_parameters("value")
def new_secret(request: HttpRequest) -> HttpResponse:
    """Ask for a secret, then store it. All but the value survives an error."""
    name = request.POST.get("name", "")
    kind = request.POST.get("kind", SecretKind.VARIABLE)
    refusal: DomainError | None = None
    if request.method == "POST":
        try:
            vault.keep_secret(
                owner=user_of(request), name=name.strip(), kind=kind, value=_value(request, kind)
            )
        except DomainError as error:
            refusal = error
        else:
            messages.success(request, f"Stored “{name.strip()}”.")
            return _account("secrets")
    context = {"name": name, "kind": kind}
    return _question(request, "accounts/new_secret.html", context, refusal)


@question
@sensitive_post_parameters("value")
def replace_secret(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask for another value, then store it."""
    secret = get_object_or_404(UserSecret.objects.visible_to(user_of(request)), pk=pk)
    refusal: DomainError | None = None
    if request.method == "POST":
        try:
            vault.keep_new_value(secret=secret, value=_value(request, secret.kind))
        except DomainError as error:
            refusal = error
        else:
            messages.success(request, f"Stored a new value for “{secret.name}”.")
            return _account("secrets")
    return _question(request, "accounts/replace_secret.html", {"secret": secret}, refusal)


@question
def delete_secret(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask, saying which sessions pick it, then delete a secret."""
    user = user_of(request)
    secret = get_object_or_404(UserSecret.objects.visible_to(user), pk=pk)
    if request.method == "POST":
        vault.forget(secret)
        messages.success(request, f"Deleted “{secret.name}”.")
        return _account("secrets")
    context = {"secret": secret, "sessions": uses_by(user).of_secrets.get(secret.name, ())}
    return _question(request, "accounts/delete_secret.html", context)


@question
@sensitive_post_parameters("secret")
def new_git_credential(request: HttpRequest) -> HttpResponse:
    """Ask for a git credential, then store it. All but the secret survives an error."""
    asked = {
        "name": request.POST.get("name", ""),
        "kind": request.POST.get("kind", GitCredentialKind.TOKEN),
        "hosts": request.POST.get("hosts", ""),
        "username": request.POST.get("username", ""),
    }
    refusal: DomainError | None = None
    if request.method == "POST":
        try:
            credential = vault.keep_git_credential(
                owner=user_of(request),
                name=asked["name"],
                kind=_kind(asked["kind"]),
                hosts=re.split(r"[\s,]+", asked["hosts"].strip()),
                username=asked["username"],
                secret=_git_secret(request, asked["kind"]),
            )
        except DomainError as error:
            refusal = error
        else:
            messages.success(request, f"Stored “{credential.name}”.")
            return _account("git-credentials")
    context = {**asked, "default_username": vault.DEFAULT_USERNAME}
    return _question(request, "accounts/new_git_credential.html", context, refusal)


@question
def delete_git_credential(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask, saying which sessions use it, then delete a git credential."""
    user = user_of(request)
    credential = get_object_or_404(GitCredential.objects.visible_to(user), pk=pk)
    if request.method == "POST":
        vault.forget(credential)
        messages.success(request, f"Deleted “{credential.name}”.")
        return _account("git-credentials")
    sessions = uses_by(user).of_git_credentials.get(credential.pk, ())
    context = {"credential": credential, "sessions": sessions}
    return _question(request, "accounts/delete_git_credential.html", context)


def _question(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    refusal: DomainError | None = None,
) -> HttpResponse:
    return answered(request, template, {**context, "back": reverse("account")}, refusal)


def _account(part: str) -> HttpResponse:
    return redirect(f"{reverse('account')}#{part}")


def _value(request: HttpRequest, kind: str) -> str:
    """What was typed: browsers end lines as nobody else does, and what is pasted as a variable has
    a line's end too many.
    """
    typed = request.POST.get("value", "").replace("\r\n", "\n")
    return typed.strip("\n") if kind == SecretKind.VARIABLE else typed


def _kind(asked: str) -> str:
    return GitCredentialKind.SSH_KEY if asked == NEW_KEY else asked


def _git_secret(request: HttpRequest, kind: str) -> str:
    if kind == NEW_KEY:
        return ""
    secret = request.POST.get("secret", "")
    if not secret.strip():
        raise InvalidInput.field("secret", "A token or a private key is needed.")
    return secret
