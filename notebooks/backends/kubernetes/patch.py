"""What operators add to a pod. Its form is checked where it is written (`core.pod_shapes`)."""

from collections.abc import Iterable, Mapping
from typing import Any

from notebooks.backends.kubernetes.api import Json


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
