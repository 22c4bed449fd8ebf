"""What the API takes and gives. Input is strict, output spelled out field by field."""

from typing import Any

from rest_framework import serializers

from accounts.models import ApiToken, User
from accounts.services import DEFAULT_LIFE, LONGEST_LIFE
from notebooks.backends.contract import SECRETS_FOLDER, Phase, PhaseTime
from notebooks.models import NotebookSession, Run, SessionEvent
from notebooks.states import SessionStatus
from quotas.models import ResourceProfile
from submarine_site.core.api import StrictSerializer
from submarine_site.core.text import MAX_NAME


class ProfileSerializer(serializers.ModelSerializer[ResourceProfile]):
    class Meta:
        model = ResourceProfile
        fields = ["name", "display_name", "description", "cpu_milli", "memory_mib", "gpus"]


class PhaseSerializer(serializers.Serializer[PhaseTime]):
    phase = serializers.ChoiceField(choices=[(p.value, p.value) for p in Phase])
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    detail = serializers.CharField(allow_blank=True)


class RunSerializer(serializers.Serializer[Run]):
    """The present or last run, with what it was started with."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    profile_name = serializers.CharField()
    cpu_milli = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    gpus = serializers.IntegerField()
    environment_name = serializers.CharField()
    environment_version = serializers.IntegerField(source="environment_number")
    image = serializers.CharField()
    created_at = serializers.DateTimeField()
    ready_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    exit_code = serializers.IntegerField(allow_null=True)
    phases = PhaseSerializer(source="steps", many=True)


class ReasonSerializer(serializers.Serializer[Any]):
    """Why a session is in its state, who can mend it and what to do next."""

    code = serializers.CharField()
    title = serializers.CharField()
    message = serializers.CharField()
    mender = serializers.CharField()
    advice = serializers.CharField()


# These are spelled out: a model's serializer makes its fields anew for each answer, which takes
# longer than the answer itself.
class SessionSerializer(serializers.Serializer[NotebookSession]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    owner = serializers.CharField(source="owner.username")
    status = serializers.ChoiceField(choices=SessionStatus.choices)
    status_changed_at = serializers.DateTimeField()
    reason = ReasonSerializer(source="explanation", allow_null=True)
    profile = serializers.CharField(source="profile.name")
    environment = serializers.CharField(source="environment.name")
    environment_version = serializers.IntegerField(source="environment_version.number")
    newest_environment_version = serializers.IntegerField(
        source="environment.newest.number", allow_null=True, default=None
    )
    variables = serializers.DictField(
        source="setup.variables", child=serializers.CharField(), default=dict
    )
    secrets = serializers.ListField(
        source="setup.secrets",
        child=serializers.CharField(),
        default=list,
        help_text="The names of those that were picked.",
    )
    created_at = serializers.DateTimeField()
    last_activity_at = serializers.DateTimeField(allow_null=True)
    run = RunSerializer(source="current_run", allow_null=True)


class SessionCreateSerializer(StrictSerializer):
    """`profile` and `environment` are names; without a `name` the session is given one."""

    profile = serializers.CharField(max_length=63)
    environment = serializers.CharField(max_length=63)
    name = serializers.CharField(
        required=False, trim_whitespace=False, help_text=f"At most {MAX_NAME} characters."
    )
    variables = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False),
        required=False,
        help_text="Environment variables. What must not be seen is stored as a secret.",
    )
    secrets = serializers.ListField(
        child=serializers.CharField(trim_whitespace=False),
        required=False,
        help_text="Names of your secrets: each is there as a variable, or as a file in the folder "
        f"`${SECRETS_FOLDER}`.",
    )


class SessionUpdateSerializer(StrictSerializer):
    name = serializers.CharField(trim_whitespace=False, help_text=f"At most {MAX_NAME} characters.")


class NothingSerializer(StrictSerializer):
    """For verbs that take no input."""


class OpenSerializer(StrictSerializer):
    path = serializers.CharField(
        required=False,
        default="lab",
        max_length=500,
        help_text="Where in Jupyter to go, such as `lab/tree/notes.ipynb`.",
    )


class OpenedSerializer(serializers.Serializer[Any]):
    """An address that lets one browser in, once, within 30 seconds."""

    url = serializers.URLField()
    base_url = serializers.URLField(
        help_text="Where the session's Jupyter is, for clients that send their API token along."
    )


class LogSerializer(serializers.Serializer[Any]):
    """The last lines that the session's present or last server wrote."""

    run = serializers.UUIDField()
    text = serializers.CharField(allow_blank=True)


class EventSerializer(serializers.ModelSerializer[SessionEvent]):
    from_status = serializers.CharField(read_only=True)
    to_status = serializers.CharField(read_only=True)
    actor = serializers.CharField(source="actor.username", read_only=True, allow_null=True)

    class Meta:
        model = SessionEvent
        fields = [
            "id",
            "created_at",
            "run",
            "from_status",
            "to_status",
            "code",
            "message",
            "actor",
        ]


class MeSerializer(serializers.ModelSerializer[User]):
    is_operator = serializers.BooleanField(source="is_staff", read_only=True)

    class Meta:
        model = User
        fields = ["username", "first_name", "last_name", "email", "is_operator"]


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    class Meta:
        model = ApiToken
        fields = ["id", "name", "hint", "created_at", "expires_at", "last_used_at"]


class TokenCreateSerializer(StrictSerializer):
    name = serializers.CharField(trim_whitespace=False)
    expires_in_days = serializers.IntegerField(
        required=False,
        default=DEFAULT_LIFE.days,
        min_value=1,
        max_value=LONGEST_LIFE.days,
    )


class NewTokenSerializer(TokenSerializer):
    """A token just made: `token` is shown this once."""

    token = serializers.CharField()

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]
