"""What Submarine's clients send, and of it what is not Submarine's own: all that is not in its
released clients is optional.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers

from environments.packages import MAX_PACKAGES
from submarine_site.core.api import StrictSerializer
from submarine_v1.parsers import NullText

_IN_V2 = "This is a field of `/api/v2/`, which this API does not have."


class Input(StrictSerializer):
    """Of bodies in which all scalars are texts; a null is as good as nothing.

    Unknown keys are left out, as Submarine does, unless the service has something of that name
    elsewhere: its sender would believe that it is in force. `elsewhere` says of those what to do.
    """

    elsewhere: ClassVar[Mapping[str, str]] = {}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            sent = {
                name: value
                for name, value in data.items()
                if value is not None and not isinstance(value, NullText)
            }
            if misplaced := {
                name: [self.elsewhere[name]] for name in sent if name in self.elsewhere
            }:
                raise serializers.ValidationError(misplaced)
            data = {name: value for name, value in sent.items() if name in self.fields}
        return super().to_internal_value(data)

    def _refuse_other_types(self, data: Mapping[str, Any]) -> None:
        """Do nothing: each field reads its value from a text."""


class Variables(serializers.DictField):
    """Names and texts. A variable without a value is empty."""

    child = serializers.CharField(allow_blank=True, trim_whitespace=False)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            data = {name: "" if value is None else value for name, value in data.items()}
        return super().to_internal_value(data)


def _in_spec(*names: str) -> dict[str, str]:
    return {name: f"Send this as `spec.{name}`." for name in names}


_OF_PODS = _in_spec("envVars", "resources", "cpu", "memory", "gpu", "profile", "code", "volumes")


class MetaInput(Input):
    """`namespace`, `ownerId` and `labels` are taken and say nothing: nothing follows from them."""

    elsewhere = _OF_PODS

    name = serializers.CharField(trim_whitespace=False)
    namespace = serializers.CharField(required=False, allow_blank=True)
    ownerId = serializers.CharField(required=False, allow_blank=True)
    labels = serializers.DictField(required=False)


class NamedEnvironmentInput(Input):
    """The name alone counts; clients send the rest as they got it."""

    name = serializers.CharField()
    dockerImage = serializers.CharField(required=False, allow_blank=True)
    image = serializers.CharField(required=False, allow_blank=True)
    description = serializers.CharField(required=False, allow_blank=True)
    kernelSpec = serializers.DictField(required=False)


class GitInput(Input):
    elsewhere = {"ref": "Send this as `branch`.", "folder": _IN_V2}

    url = serializers.CharField()
    branch = serializers.CharField(required=False, default="", allow_blank=True)
    username = serializers.CharField(required=False, allow_blank=True)
    password = serializers.CharField(required=False, allow_blank=True)
    trustCerts = serializers.BooleanField(required=False)
    credential = serializers.UUIDField(required=False, default=None)

    def validate_username(self, value: str) -> str:
        return _without_passwords(value)

    def validate_password(self, value: str) -> str:
        return _without_passwords(value)

    def validate_trustCerts(self, value: bool) -> bool:  # noqa: N802, FBT001 - DRF's
        if value:
            raise serializers.ValidationError("Certificates are always checked.")
        return value


def _without_passwords(value: str) -> str:
    if value:
        raise serializers.ValidationError(
            "No password is taken here. Keep a git credential on your account page, and name it "
            "by its id as `credential`."
        )
    return value


class CodeInput(Input):
    elsewhere = {
        name: f"Send this as `spec.code.git.{name}`." for name in ("url", "branch", "credential")
    }

    syncMode = serializers.ChoiceField(choices=["git"], required=False)
    git = GitInput()


class VolumeInput(Input):
    elsewhere = {"read_only": "Send this as `readOnly`."}

    volume = serializers.UUIDField()
    path = serializers.CharField()
    readOnly = serializers.BooleanField(required=False, default=False)


class PodInput(Input):
    elsewhere = {
        "variables": "Send this as `spec.envVars`.",
        "mounts": "Send this as `spec.volumes`.",
        **dict.fromkeys(("secrets", "opens", "charge_to"), _IN_V2),
    }

    envVars = Variables(required=False, default=dict)
    resources = serializers.CharField(required=False, default="", allow_blank=True)
    cpu = serializers.CharField(required=False, default="", allow_blank=True)
    memory = serializers.CharField(required=False, default="", allow_blank=True)
    gpu = serializers.CharField(required=False, default="", allow_blank=True)
    profile = serializers.CharField(required=False, default="", allow_blank=True)
    code = CodeInput(required=False)
    # The stubs lack `max_length`.
    volumes = VolumeInput(many=True, required=False, max_length=100)  # type: ignore[call-arg]


class NotebookInput(Input):
    elsewhere = _OF_PODS

    meta = MetaInput()
    environment = NamedEnvironmentInput()
    spec = PodInput(required=False)


class KernelInput(Input):
    elsewhere = {
        "conda": "Send this as `condaDependencies`.",
        "pip": "Send this as `pipDependencies`.",
        "dependencies": "Send this as `condaDependencies` and `pipDependencies`.",
    }

    name = serializers.CharField(required=False, default="", allow_blank=True, max_length=63)
    channels = serializers.ListField(
        child=serializers.CharField(), required=False, default=list, max_length=100
    )
    condaDependencies = serializers.ListField(
        child=serializers.CharField(), required=False, default=list, max_length=MAX_PACKAGES
    )
    pipDependencies = serializers.ListField(
        child=serializers.CharField(), required=False, default=list, max_length=MAX_PACKAGES
    )


class EnvironmentInput(Input):
    elsewhere = {
        "kernels": "Send this as `kernelSpec`.",
        **dict.fromkeys(
            (
                "deprecated",
                "enabled",
                "file",
                "for_site",
                "groups",
                "hidden",
                "needs_gpu",
                "smallest_cpu_milli",
                "smallest_memory_mib",
            ),
            _IN_V2,
        ),
    }

    name = serializers.CharField(required=False, default="", allow_blank=True)
    dockerImage = serializers.CharField(required=False, default="", allow_blank=True)
    image = serializers.CharField(required=False, default="", allow_blank=True)
    description = serializers.CharField(required=False, allow_blank=True)
    kernelSpec = KernelInput(required=False)


class SignInInput(Input):
    username = serializers.CharField(trim_whitespace=False)
    password = serializers.CharField(trim_whitespace=False)
