"""People, the tokens their programs use, the devices they are signed in on, and what they entrust
to the service for their sessions.
"""

import uuid

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.querysets import ApiTokenQuerySet, SignInQuerySet, VaultQuerySet
from accounts.scopes import Scope
from submarine_site.core.etags import etag_of
from submarine_site.core.rows import QuickRow
from submarine_site.core.text import MAX_NAME

MAX_USERNAME = 150
"""As Django's own column for it."""


class User(AbstractUser):
    """A person who may sign in."""

    # Written by a trigger, so that every way of disabling an account sets it.
    disabled_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(AbstractUser.Meta):
        # Of no model in particular: what concerns the service as a whole.
        permissions = [
            ("view_task_monitor", "Can view the task monitor"),
            ("configure_workloads", "Can configure what everybody's sessions run"),
        ]


class ApiToken(QuickRow):
    """A secret by which a program acts as its user. Only its hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    hint = models.CharField(max_length=16, help_text="How the token begins, to tell it by.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope.choices), editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_from = models.GenericIPAddressField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = "API token"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    @property
    def etag(self) -> str:
        """Its tag: what a token may do does not change."""
        return etag_of(self.created_at)

    @property
    def is_live(self) -> bool:
        """Whether it still lets its program in."""
        return self.revoked_at is None and self.expires_at > timezone.now()


class SignIn(models.Model):
    """One browser on which someone signed in. What it may do ends when this record ends."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_ins")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(default=timezone.now, editable=False)
    address = models.GenericIPAddressField(null=True, editable=False)
    user_agent = models.CharField(max_length=200, blank=True, editable=False)
    auth_hash = models.CharField(max_length=128, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = SignInQuerySet.as_manager()

    class Meta:
        verbose_name = "sign-in"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.user} at {self.created_at:%Y-%m-%d %H:%M}"


class SecretKind(models.TextChoices):
    VARIABLE = "variable", "Variable"
    FILE = "file", "File"


class UserSecret(models.Model):
    """A value that its owner's sessions get at their start, as a variable or as a file.

    Its name is the variable's or the file's. The value is written, never shown again.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="secrets")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=16, choices=SecretKind)
    sealed = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    objects = VaultQuerySet["UserSecret"].as_manager()

    class Meta:
        verbose_name = "secret"
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="secret_name_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def etag(self) -> str:
        """Names the value it has, as HTTP wants it."""
        return etag_of(self.updated_at)


class KeptAnswer(models.Model):
    """What a create answered to a client's `Idempotency-Key`, for when it is sent again.

    It opens with that key alone, of which only the hash is kept.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    operation = models.CharField(max_length=80, editable=False)
    key_digest = models.CharField(max_length=64, editable=False)
    # Empty only within the transaction that makes what is asked for.
    sealed = models.BinaryField(default=b"")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "operation", "key_digest"], name="kept_answer_key_unique"
            )
        ]

    def __str__(self) -> str:
        return self.operation


class GitCredentialKind(models.TextChoices):
    TOKEN = "token", "Token or password"
    SSH_KEY = "ssh_key", "SSH key"


class GitCredential(models.Model):
    """What lets its owner's sessions into private repositories, at the hosts that it names only.

    `hosts` are as `accounts.vault.clean_host` gives them. The token or private key is written,
    never shown again.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="git_credentials")
    name = models.CharField(max_length=MAX_NAME)
    kind = models.CharField(max_length=16, choices=GitCredentialKind)
    hosts = models.JSONField()
    username = models.CharField(max_length=100)
    sealed = models.BinaryField()
    # Of an SSH key.
    public_key = models.TextField(blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    objects = VaultQuerySet["GitCredential"].as_manager()

    class Meta:
        verbose_name = "git credential"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="git_credential_name_unique")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def etag(self) -> str:
        """Its tag: a git credential does not change."""
        return etag_of(self.created_at)
