"""Validators of what a profile says in the words of Kubernetes. Migrations know their names."""

from typing import Any

from django.core.exceptions import ValidationError

from quotas.amounts import is_resource
from submarine_site.core import pod_shapes
from submarine_site.core.shapes import Check


def resource(value: str) -> None:
    """Of what limits are set for."""
    if not is_resource(value):
        raise ValidationError(
            "sessions, cpu_milli, memory_mib, storage_mib, volumes, gpu:CLASS or gpu:* is needed."
        )


def resource_name(value: str) -> None:
    _refuse(value, pod_shapes.RESOURCE_NAME)


def dns_subdomain(value: str) -> None:
    _refuse(value, pod_shapes.DNS_SUBDOMAIN)


def service_account(value: str) -> None:
    _refuse(value, pod_shapes.OTHERS_NAME)


def labels(value: Any) -> None:
    _refuse(value, pod_shapes.LABELS)


def tolerations(value: Any) -> None:
    _refuse(value, pod_shapes.TOLERATIONS)


def pod_patch(value: Any) -> None:
    _refuse(value, pod_shapes.POD_PATCH)


def _refuse(value: Any, check: Check) -> None:
    if problems := [str(problem) for problem in check(value, "")]:
        raise ValidationError(problems)
