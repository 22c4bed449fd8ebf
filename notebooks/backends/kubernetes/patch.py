"""What operators add to a pod. It is checked where it is written (`core.pod_shapes`), and again
where it is applied: what was written under other rules must not outlive them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.config import SiteConfig
from submarine_site.core.outside import BackendRefused
from submarine_site.core.placement import Placement
from submarine_site.core.pod_shapes import OTHERS_NAME, POD_PATCH


def require_allowed(placement: Placement, site: SiteConfig) -> None:
    """Raise `BackendRefused` unless site and profile may add to pods what they say."""
    problems = [f"the site's pod patch, {problem}" for problem in POD_PATCH(site.pod_patch, "")]
    problems += [f"its pod patch, {problem}" for problem in POD_PATCH(placement.pod_patch, "")]
    if placement.service_account:
        account = OTHERS_NAME(placement.service_account, "")
        problems += [f"its service account: {problem.message}" for problem in account]
    if not problems:
        problems += _pull_secrets(placement.pod_patch, site)
    if problems:
        raise BackendRefused(
            f"The session's size cannot be used: {problems[0]}", code="pod_patch_refused"
        )


def _pull_secrets(patch: Mapping[str, Any], site: SiteConfig) -> Iterator[str]:
    """What gives the registry's password to sessions, which the kubelet alone needs."""
    named = {volume.get("secret", {}).get("secretName") for volume in patch.get("volumes", ())}
    for container in (patch, *patch.get("sidecars", ())):
        named |= {
            variable.get("valueFrom", {}).get("secretKeyRef", {}).get("name")
            for variable in container.get("env", ())
        }
    if taken := sorted(named & set(site.image_pull_secrets)):
        yield f"its pod patch: The Secret {taken[0]} is for pulling images."


def apply(pod: Json, patches: Iterable[Mapping[str, Any]], *, sidecar: Json) -> Json:
    """Return the pod with what the patches add to it and to its one container.

    Of two patches that say the same thing differently the later holds, and the pod's own word
    holds over both. `sidecar` is what each sidecar gets, whatever its patch says.
    """
    added = list(patches)

    def merged(field: str, own: Json) -> Json:
        return {key: value for patch in added for key, value in patch.get(field, {}).items()} | own

    def joined(field: str, own: list[Json], *, by: str) -> list[Json]:
        entries = [*own, *(entry for patch in reversed(added) for entry in patch.get(field, []))]
        unique: dict[str, Json] = {}
        for entry in entries:
            unique.setdefault(entry[by], entry)
        return list(unique.values())

    metadata, spec = pod["metadata"], pod["spec"]
    [notebook] = spec["containers"]
    return pod | {
        "metadata": metadata
        | {field: merged(field, metadata[field]) for field in ("labels", "annotations")},
        "spec": spec
        | {
            "volumes": joined("volumes", spec["volumes"], by="name"),
            "containers": [
                notebook
                | {
                    "env": joined("env", notebook["env"], by="name"),
                    "volumeMounts": joined(
                        "volumeMounts", notebook["volumeMounts"], by="mountPath"
                    ),
                },
                *(each | sidecar for each in joined("sidecars", [], by="name")),
            ],
        },
    }
