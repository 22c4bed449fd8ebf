"""What the API takes and gives. Input is strict, output spelled out field by field."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import ApiToken, User
from accounts.scopes import DEFAULT_SCOPES, Scope, grantable, scopes_of
from notebooks.api import examples
from notebooks.backends.contract import SECRETS_FOLDER, CodeStatus, Phase, PhaseTime
from notebooks.code_view import WAITING, code_of
from notebooks.lifetimes import Signal
from notebooks.models import Bookmark, NotebookSession, Run, SessionEvent
from notebooks.states import SessionStatus
from quotas.models import ResourceProfile
from submarine_site.core.api import PlainSerializer, StrictSerializer, answer
from submarine_site.core.examples import example
from submarine_site.core.text import MAX_NAME

_CHARGE_TO = (
    "The group of yours whose pool is charged; without one, that of the last time, as `GET "
    "/quota/` says."
)


@example(examples.PROFILE_NOW)
class ProfileSerializer(serializers.ModelSerializer[ResourceProfile]):
    successor = serializers.CharField(
        source="successor.name", read_only=True, allow_null=True, default=None
    )

    class Meta:
        model = ResourceProfile
        fields = [
            "name",
            "display_name",
            "description",
            "cpu_milli",
            "memory_mib",
            "gpus",
            "accelerator",
            "longest_life_minutes",
            "idle_limit_minutes",
            "deprecated",
            "deprecation",
            "successor",
        ]


class PhaseSerializer(PlainSerializer[PhaseTime]):
    phase = serializers.ChoiceField(choices=[(p.value, p.value) for p in Phase])
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    detail = serializers.CharField(allow_blank=True)


class RunSerializer(PlainSerializer[Run]):
    """The present or last run, with what it was started with."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    profile_name = serializers.CharField()
    cpu_milli = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    gpus = serializers.IntegerField()
    accelerator = serializers.CharField()
    longest_life_minutes = serializers.IntegerField(allow_null=True)
    idle_limit_minutes = serializers.IntegerField(allow_null=True)
    environment_name = serializers.CharField()
    environment_version = serializers.IntegerField(source="environment_number")
    image = serializers.CharField()
    is_rescue = serializers.BooleanField(
        help_text="Whether the server's own files are elsewhere than in the home, which may be "
        "full, and no code is fetched."
    )
    created_at = serializers.DateTimeField()
    ready_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    stops_at = serializers.DateTimeField(
        allow_null=True, help_text="When it is stopped, whatever it does; null: never."
    )
    exit_code = serializers.IntegerField(allow_null=True)
    phases = PhaseSerializer(source="steps", many=True)


class ReasonSerializer(PlainSerializer[Any]):
    """Why a session is in its state, who can mend it and what to do next."""

    code = serializers.CharField()
    title = serializers.CharField()
    message = serializers.CharField()
    mender = serializers.CharField()
    advice = serializers.CharField()


class CodeSourceSerializer(StrictSerializer):
    """A git repository to start with."""

    url = serializers.CharField(
        help_text="`https://host/path`, `ssh://user@host/path` or `user@host:path`."
    )
    ref = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="A branch, a tag, or a commit by all of its characters. Without one it is what "
        "the repository itself offers.",
    )
    folder = serializers.CharField(
        required=False, allow_blank=True, help_text="Below the home; named after the repository."
    )
    depth = serializers.IntegerField(
        required=False, min_value=0, help_text="How many commits to fetch; 0: all. 1 if not given."
    )
    submodules = serializers.BooleanField(required=False)
    sparse = serializers.CharField(
        required=False, allow_blank=True, help_text="The one folder of the repository to have."
    )
    credential = serializers.UUIDField(
        required=False, allow_null=True, help_text="The id of one of your git credentials."
    )


class MountSerializer(StrictSerializer):
    """One of your volumes, and where it is."""

    volume = serializers.UUIDField(help_text="Its id.")
    path = serializers.CharField(
        help_text="Below the home, such as `data`. No part of it may begin with a dot."
    )
    # Of this name every field has a property, which a declared one does not touch.
    read_only = serializers.BooleanField(  # type: ignore[assignment]
        required=False, default=False, help_text="Whether sessions cannot write to it there."
    )


class CodeSerializer(PlainSerializer[Any]):
    """A repository of the present or last run, and what came of it."""

    url = serializers.CharField(source="source.url")
    ref = serializers.CharField(source="source.ref")
    folder = serializers.CharField(source="source.folder")
    depth = serializers.IntegerField(source="source.depth")
    submodules = serializers.BooleanField(source="source.submodules")
    sparse = serializers.CharField(source="source.sparse")
    credential = serializers.UUIDField(source="source.credential", allow_null=True)
    status = serializers.ChoiceField(
        choices=[WAITING, *CodeStatus],
        help_text="`kept`: its folder was there already, and is as it was.",
    )
    code = serializers.CharField(help_text="Why it failed; empty if it did not.")
    message = serializers.CharField()


# These are spelled out: a model's serializer makes its fields anew for each answer, which takes
# longer than the answer itself.
@example(examples.SESSION_NOW, begun=examples.REQUESTED)
class SessionSerializer(PlainSerializer[NotebookSession]):
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
    code = serializers.SerializerMethodField()
    opens = serializers.CharField(
        source="setup.opens",
        default="",
        help_text="The file below the home that the pages open when the session is ready.",
    )
    home = serializers.UUIDField(
        source="home_id",
        allow_null=True,
        help_text="The volume that is its home; null: the one that the site keeps for you.",
    )
    mounts = MountSerializer(source="setup.mounts", many=True, default=list)
    charged_to = serializers.CharField(
        source="charged_to.name",
        allow_null=True,
        default=None,
        help_text="The group whose pool it is charged to; null: none.",
    )
    created_at = serializers.DateTimeField()
    last_activity_at = serializers.DateTimeField(allow_null=True)
    last_activity_signal = serializers.ChoiceField(
        choices=Signal.choices, allow_blank=True, help_text="What that was."
    )
    idle_stop_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When it is stopped unless something happens in it before; null: never.",
    )
    size_change = serializers.CharField(
        help_text="How its size now differs from what its run has, until the next start; empty if "
        "it does not."
    )
    run = RunSerializer(source="current_run", allow_null=True)

    @extend_schema_field(CodeSerializer(many=True))
    def get_code(self, session: NotebookSession) -> Any:
        return [answer(CodeSerializer, each) for each in code_of(session)]


class SetupSerializer(StrictSerializer):
    """What a session starts with beyond its size and environment."""

    # The stubs lack `max_length`.
    code = CodeSourceSerializer(many=True, required=False, max_length=100)  # type: ignore[call-arg]
    opens = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="The file below the home that the pages open when the session is ready.",
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
    mounts = MountSerializer(
        many=True,
        required=False,
        max_length=100,  # type: ignore[call-arg]
        help_text="Your volumes, each at a path of its own. Which sessions have a volume already "
        "stands with the volume, as its `attachments`.",
    )


@example(examples.NEW_SESSION)
class SessionCreateSerializer(SetupSerializer):
    """`profile` and `environment` are names; without a `name` the session is given one."""

    profile = serializers.CharField(max_length=63)
    environment = serializers.CharField(max_length=63)
    name = serializers.CharField(
        required=False, trim_whitespace=False, help_text=f"At most {MAX_NAME} characters."
    )
    charge_to = serializers.CharField(required=False, allow_blank=True, help_text=_CHARGE_TO)


@example(examples.BOOKMARK)
class BookmarkSerializer(serializers.ModelSerializer[Bookmark]):
    """`setup` is what else of a new session it fills in: code, variables, mounts and so on."""

    setup = serializers.JSONField()

    class Meta:
        model = Bookmark
        fields = ["id", "name", "profile", "environment", "setup", "created_at"]


@example(examples.NEW_BOOKMARK)
class BookmarkCreateSerializer(SessionCreateSerializer):
    """As for a session; a name is needed."""

    # What is charged is chosen at the launch.
    charge_to = None  # type: ignore[assignment]
    name = serializers.CharField(trim_whitespace=False, help_text=f"At most {MAX_NAME} characters.")


@example(examples.CHANGES)
class SessionUpdateSerializer(SetupSerializer):
    """What is given is changed: the name at once, the rest for the next start."""

    name = serializers.CharField(
        required=False, trim_whitespace=False, help_text=f"At most {MAX_NAME} characters."
    )


@example(examples.START)
class StartSerializer(StrictSerializer):
    rescue = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Keep the server's own files elsewhere than in the home, and fetch no code: for "
        "a home that is full, or has a setting that is in the way.",
    )
    charge_to = serializers.CharField(
        required=False, allow_blank=True, default="", help_text=_CHARGE_TO
    )


@example(examples.OPEN)
class OpenSerializer(StrictSerializer):
    path = serializers.CharField(
        required=False,
        default="lab",
        max_length=500,
        help_text="Where in Jupyter to go, such as `lab/tree/notes.ipynb`.",
    )


@example(examples.OPENED)
class OpenedSerializer(serializers.Serializer[Any]):
    """An address that lets one browser in, once, within 30 seconds."""

    url = serializers.URLField()
    base_url = serializers.URLField(
        help_text="Where the session's Jupyter is, for clients that send their API token along."
    )


@example(examples.LOG)
class LogSerializer(serializers.Serializer[Any]):
    """The last lines that the session's present or last server wrote."""

    run = serializers.UUIDField()
    text = serializers.CharField(allow_blank=True)


@example(examples.EVENT)
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


@example(examples.ME)
class MeSerializer(serializers.ModelSerializer[User]):
    is_operator = serializers.BooleanField(
        source="is_staff",
        read_only=True,
        help_text="By a token, whether you are one by it: that takes the scope `admin`.",
    )
    scopes = serializers.SerializerMethodField(help_text="What this request may do.")

    class Meta:
        model = User
        fields = ["username", "first_name", "last_name", "email", "is_operator", "scopes"]

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(Scope.choices)))
    def get_scopes(self, user: User) -> list[str]:
        return [*grantable(user, scopes_of(self.context["request"]))]


@example(examples.TOKEN)
class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    class Meta:
        model = ApiToken
        fields = [
            "id",
            "name",
            "hint",
            "scopes",
            "created_at",
            "expires_at",
            "last_used_at",
            "last_used_from",
        ]


@example(examples.NEW_TOKEN)
class TokenCreateSerializer(StrictSerializer):
    name = serializers.CharField(trim_whitespace=False)
    scopes = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text=f"Some of {', '.join(f'`{each}`' for each in Scope)}: none that whoever asks "
        f"has not got. Without, {', '.join(f'`{each}`' for each in DEFAULT_SCOPES)}, as far as "
        "they have them.",
    )
    expires_in_days = serializers.IntegerField(
        required=False,
        min_value=1,
        help_text="At most what the site allows; and what a token makes ends with it at the "
        "latest. Without, 90, or what the site allows if that is less.",
    )


@example(examples.LOGIN)
class LoginSerializer(StrictSerializer):
    """What the user pasted, and the secret whose hash their page was asked for with."""

    code = serializers.CharField()
    verifier = serializers.CharField()


@example(examples.REVOKED)
class RevokedSerializer(serializers.Serializer[Any]):
    revoked = serializers.IntegerField(help_text="How many there were.")


@example(examples.MADE_TOKEN)
class NewTokenSerializer(TokenSerializer):
    """A token just made: `token` is shown this once."""

    token = serializers.CharField()

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]
