"""The endpoints of what users entrust to the service. Values go in and never come out."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet

from accounts import examples, vault
from accounts.idempotency import once
from accounts.models import GitCredential, GitCredentialKind, SecretKind, UserSecret
from accounts.requests import user_of
from accounts.scopes import Scope
from accounts.uses import Uses, uses_by
from submarine_site.core.api import (
    IF_MATCH,
    UUID_PATTERN,
    StrictSerializer,
    TaggedRetrieveMixin,
    created,
    valid,
)
from submarine_site.core.examples import example
from submarine_site.core.preconditions import conditional
from submarine_site.core.text import MAX_NAME


@example(examples.KEPT_SECRET)
class SecretSerializer(serializers.ModelSerializer[UserSecret]):
    class Meta:
        model = UserSecret
        fields = ["id", "name", "kind", "created_at", "updated_at", "last_used_at"]


@example(examples.LISTED_SECRET)
class ListedSecretSerializer(SecretSerializer):
    sessions = serializers.SerializerMethodField(help_text="The names of those that pick it.")

    class Meta(SecretSerializer.Meta):
        fields = [*SecretSerializer.Meta.fields, "sessions"]

    def get_sessions(self, secret: UserSecret) -> list[str]:
        return list(self.context["uses"].of_secrets.get(secret.name, ()))


@example(examples.NEW_SECRET)
class SecretCreateSerializer(StrictSerializer):
    """`name` is that of the variable, or of the file in the folder `$SUBMARINE_SECRETS`."""

    name = serializers.CharField(trim_whitespace=False)
    kind = serializers.ChoiceField(choices=SecretKind.choices)
    value = serializers.CharField(trim_whitespace=False, write_only=True)


@example(examples.SECRET_VALUE)
class SecretValueSerializer(StrictSerializer):
    value = serializers.CharField(trim_whitespace=False, write_only=True)


@example(examples.GIT_CREDENTIAL)
class GitCredentialSerializer(serializers.ModelSerializer[GitCredential]):
    hosts = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = GitCredential
        fields = [
            "id",
            "name",
            "kind",
            "hosts",
            "username",
            "public_key",
            "fingerprint",
            "created_at",
            "last_used_at",
        ]


@example(examples.LISTED_GIT_CREDENTIAL)
class ListedGitCredentialSerializer(GitCredentialSerializer):
    sessions = serializers.SerializerMethodField(help_text="The names of those that use it.")

    class Meta(GitCredentialSerializer.Meta):
        fields = [*GitCredentialSerializer.Meta.fields, "sessions"]

    def get_sessions(self, credential: GitCredential) -> list[str]:
        return list(self.context["uses"].of_git_credentials.get(credential.pk, ()))


@example(examples.NEW_GIT_CREDENTIAL)
class GitCredentialCreateSerializer(StrictSerializer):
    """`secret` is the token, or a private key without a passphrase; without it an SSH key is made,
    whose `public_key` is in the answer.
    """

    name = serializers.CharField(trim_whitespace=False, help_text=f"At most {MAX_NAME} characters.")
    kind = serializers.ChoiceField(choices=GitCredentialKind.choices)
    hosts = serializers.ListField(
        child=serializers.CharField(), help_text="Such as `git.example.com` or `[::1]:8443`."
    )
    username = serializers.CharField(
        required=False, allow_blank=True, help_text=f"`{vault.DEFAULT_USERNAME}` unless given."
    )
    secret = serializers.CharField(required=False, write_only=True, trim_whitespace=False)


@extend_schema_view(
    retrieve=extend_schema(summary="Read what there is to a secret but its value"),
    list=extend_schema(summary="List your secrets"),
)
class SecretViewSet(TaggedRetrieveMixin, mixins.ListModelMixin, GenericViewSet[UserSecret]):
    """What your sessions can be given at their start, as variables or files. Values are written,
    never shown.
    """

    queryset = UserSecret.objects.none()
    needs = dict.fromkeys(("create", "update", "destroy"), Scope.MANAGE)
    lookup_value_regex = UUID_PATTERN

    def get_serializer_class(self) -> type[Serializer[Any]]:
        """What is taken, for the forms of the browsable API."""
        match self.action:
            case "create":
                return SecretCreateSerializer
            case "update":
                return SecretValueSerializer
            case _:
                return ListedSecretSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        listed = self.action in {"list", "retrieve"}
        uses = uses_by(user_of(self.request)) if listed else Uses()
        return {**super().get_serializer_context(), "uses": uses}

    def get_queryset(self) -> QuerySet[UserSecret]:
        return UserSecret.objects.visible_to(user_of(self.request)).defer("sealed")

    @once
    @extend_schema(
        summary="Store a secret",
        request=SecretCreateSerializer,
        responses={201: SecretSerializer},
    )
    def create(self, request: Request) -> Response:
        secret = vault.keep_secret(owner=user_of(request), **valid(SecretCreateSerializer, request))
        body = SecretSerializer(secret).data
        return created(request, f"/api/v2/secrets/{secret.pk}", body, etag=secret.etag)

    @extend_schema(
        summary="Replace the value of a secret",
        request=SecretValueSerializer,
        responses=SecretSerializer,
        parameters=[IF_MATCH],
    )
    def update(self, request: Request, **_: Any) -> Response:
        secret = vault.keep_new_value(
            secret=self.get_object(),
            expected=request.headers.get("If-Match", ""),
            **valid(SecretValueSerializer, request),
        )
        return Response(SecretSerializer(secret).data, headers={"ETag": secret.etag})

    @extend_schema(
        summary="Delete a secret; sessions that pick it start without it",
        responses={204: None},
        parameters=[IF_MATCH],
    )
    @conditional("secret")
    def destroy(self, request: Request, **_: Any) -> Response:  # noqa: ARG002
        vault.forget(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(list=extend_schema(summary="List your git credentials"))
class GitCredentialViewSet(mixins.ListModelMixin, GenericViewSet[GitCredential]):
    """What lets your sessions into private repositories, each at the hosts that it names alone.
    Tokens and private keys are written, never shown.
    """

    queryset = GitCredential.objects.none()
    needs = dict.fromkeys(("create", "destroy"), Scope.MANAGE)
    lookup_value_regex = UUID_PATTERN

    def get_serializer_class(self) -> type[Serializer[Any]]:
        """What is taken, for the form of the browsable API."""
        if self.action == "create":
            return GitCredentialCreateSerializer
        return ListedGitCredentialSerializer

    def initial_body(self) -> dict[str, Any]:
        """Return the initial body of the browsable API's form."""
        return examples.NEW_GIT_CREDENTIAL if self.action == "create" else {}

    def get_serializer_context(self) -> dict[str, Any]:
        uses = uses_by(user_of(self.request)) if self.action == "list" else Uses()
        return {**super().get_serializer_context(), "uses": uses}

    def get_queryset(self) -> QuerySet[GitCredential]:
        return GitCredential.objects.visible_to(user_of(self.request)).defer("sealed")

    @once
    @extend_schema(
        summary="Store a token or an SSH key for git, or have an SSH key made",
        request=GitCredentialCreateSerializer,
        responses={201: GitCredentialSerializer},
    )
    def create(self, request: Request) -> Response:
        chosen = valid(GitCredentialCreateSerializer, request)
        credential = vault.keep_git_credential(owner=user_of(request), **chosen)
        path = f"/api/v2/git-credentials/{credential.pk}"
        body = GitCredentialSerializer(credential).data
        return created(request, path, body, etag=credential.etag)

    @extend_schema(
        summary="Delete a git credential; sessions that use it start without its code",
        responses={204: None},
        parameters=[IF_MATCH],
    )
    @conditional("git credential")
    def destroy(self, request: Request, **_: Any) -> Response:  # noqa: ARG002
        vault.forget(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)
