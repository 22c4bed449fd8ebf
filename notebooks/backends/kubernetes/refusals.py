"""What it means that the API server would not create something: for the user, with numbers."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from notebooks.backends.kubernetes.amounts import amount, in_words
from notebooks.backends.kubernetes.policies import policy_name


class Refusal(NamedTuple):
    """A code of the catalogue and the sentence that goes with it."""

    code: str
    message: str


def refusal(status: int, reason: str, message: str) -> Refusal:
    """Say why a pod, or what goes with it, was not created."""
    for form, says in _FORMS:
        if found := form.search(message):
            return says(found)
    return Refusal(
        code="start_refused",
        message=f"The cluster did not create it ({status} {reason}).",
    )


def growth_refusal(status: int, reason: str, message: str) -> Refusal:
    """Say why a volume may not grow."""
    if _NOT_EXPANDABLE.search(message):
        return Refusal(
            code="volume_not_growable",
            message="Storage of its class does not grow in this cluster.",
        )
    said = refusal(status, reason, message)
    return said if said.code == "namespace_full" else said._replace(code="volume_not_growable")


# Of the admission plugin PersistentVolumeClaimResize.
_NOT_EXPANDABLE = re.compile(r"only dynamically provisioned pvc can be resized")


def _namespace_full(found: re.Match[str]) -> Refusal:
    requested, used, limited = (_amounts(found[name]) for name in ("requested", "used", "limited"))
    for resource, limit in limited.items():
        more, taken = requested.get(resource, amount(0)), used.get(resource, amount(0))
        if taken + more > limit:
            return Refusal(
                code="namespace_full",
                message=f"Sessions may use {in_words(resource, limit)} of this cluster in all; "
                f"{in_words(resource, taken)} is in use, and this one needs "
                f"{in_words(resource, more)}.",
            )
    return Refusal(
        code="namespace_full", message="Sessions use as much of this cluster as they may."
    )


def _amounts(listed: str) -> dict[str, Decimal]:
    pairs = (each.partition("=") for each in listed.split(","))
    return {resource.strip(): amount(quantity.strip()) for resource, _, quantity in pairs}


def _start_refused(sentence: str) -> Callable[[re.Match[str]], Refusal]:
    return lambda found: Refusal(code="start_refused", message=found.expand(sentence))


def _policy_refused(sentence: str) -> Callable[[re.Match[str]], Refusal]:
    return lambda found: Refusal(code="policy_refused", message=found.expand(sentence))


_OF_IMAGE = re.compile(r"(?i)\bimages?\b")


def _denied(found: re.Match[str]) -> Refusal:
    name = policy_name(found.string) if _OF_IMAGE.search(found.string) else ""
    if name:
        says = f"The policy “{name}” of the cluster does not allow the image."
    else:
        says = "A policy of the cluster forbids it."
    return Refusal(code="policy_refused", message=says)


def _over_range(found: re.Match[str]) -> Refusal:
    bound, resource, limit, asked = found.groups()
    return Refusal(
        code="start_refused",
        message=f"The cluster allows a container at {'most' if bound == 'maximum' else 'least'} "
        f"{in_words(resource, amount(limit))}; this size has {in_words(resource, amount(asked))}.",
    )


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Refusal]], ...] = (
    (
        re.compile(
            r"exceeded quota: \S+, requested: (?P<requested>\S+), used: (?P<used>\S+), "
            r"limited: (?P<limited>\S+)"
        ),
        _namespace_full,
    ),
    (
        re.compile(r"failed quota: \S+: must specify (.+)"),
        _start_refused(r"The quota of the cluster demands what this size does not set: \1."),
    ),
    (
        re.compile(r"(maximum|minimum) (\S+) usage per \w+ is (\w+), but \w+ is (\w+)"),
        _over_range,
    ),
    (
        re.compile(r'violates PodSecurity "([^":]+)[^"]*": (.+)'),
        _policy_refused(r"The Pod Security Standard “\1” forbids it: \2."),
    ),
    (
        re.compile(r"image policy webhook .*denied"),
        _policy_refused("The image policy of the cluster does not allow this image."),
    ),
    (
        # What a policy says is written for operators, and may name what users are not to know.
        re.compile(r"denied (?:the )?request"),
        _denied,
    ),
    (
        re.compile(r"unable to validate against any|PodSecurityPolicy"),
        _policy_refused("A policy of the cluster forbids it."),
    ),
    (
        re.compile(r'serviceaccount "([^"]+)" not found'),
        _start_refused("The service account “\\1” that this size names does not exist."),
    ),
    (
        re.compile(r"no PriorityClass with name (\S+) was found"),
        _start_refused("The priority class “\\1” that this size names does not exist."),
    ),
    (
        re.compile(r"because it is being terminated|namespaces \S+ not found"),
        _start_refused("The namespace of the sessions does not exist or is being removed."),
    ),
    (
        re.compile(r"cannot create resource"),
        _start_refused("This service has no right to create it in the cluster."),
    ),
    (
        re.compile(r" is invalid: \[?([\w.\[\]]+): ([^:]+)"),
        _start_refused(r"The cluster calls what was asked for invalid: \1: \2."),
    ),
)
