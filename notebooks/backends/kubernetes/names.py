"""Names and labels of the cluster's objects, from ids alone: never from what people write."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

from notebooks.backends.contract import RunKey
from submarine_site.core import object_names
from submarine_site.core.object_names import LABEL_PREFIX, SERVICE

INSTALLATION = f"{LABEL_PREFIX}installation"
SESSION = f"{LABEL_PREFIX}session"
RUN = f"{LABEL_PREFIX}run"
VOLUME = f"{LABEL_PREFIX}volume"
"""Of a volume's claim. Pods that older versions made have it too, of their home."""
BUILD = f"{LABEL_PREFIX}build"
BUILDS_OF = f"{LABEL_PREFIX}builds-of"
"""Of a build's own objects, in place of `INSTALLATION`: they go by other rules than sessions'."""

DISPLAY_NAME = f"{LABEL_PREFIX}name"
OWNER = f"{LABEL_PREFIX}owner"
"""Annotations: labels cannot hold what people write."""
RECORD = f"{LABEL_PREFIX}record"
"""An annotation of pods: JSON with what the rows of session and run consist of."""


def run_name(key: RunKey) -> str:
    """The name of a run's pod, and of its Secret."""
    return object_names.RUN.name(key.run_id)


def claim_name(volume_id: UUID) -> str:
    """The name of the PersistentVolumeClaim of a volume, which need not be a home."""
    return object_names.VOLUME.name(volume_id)


def use_label(volume_id: UUID) -> str:
    """The label of the pods that have a volume: there is one for each, as they may have many."""
    return f"{VOLUME}.{volume_id}"


def store_name(installation: str) -> str:
    """The name of the PersistentVolumeClaim of all that is built."""
    return object_names.STORE.name(installation)


def build_name(digest: str, attempt: int) -> str:
    """The name of an attempt's Job, and of its Secret."""
    return object_names.BUILD.name(_short(digest), attempt)


def discard_name(digest: str) -> str:
    """The name of the Job that removes what was built."""
    return object_names.DISCARD.name(_short(digest))


def build_labels(digest: str, installation: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": SERVICE,
        "app.kubernetes.io/component": "build",
        BUILDS_OF: installation,
        BUILD: _short(digest),
    }


def _short(digest: str) -> str:
    """As much of a digest as a label can hold with ease, and more than enough to tell by."""
    return digest[:40]


def policy_name(installation: str) -> str:
    """The name of the NetworkPolicy of all pods, of sessions and of builds."""
    return object_names.POLICY.name(installation)


def backstop_name(installation: str) -> str:
    """The name of the ResourceQuota that has the site's limits."""
    return object_names.BACKSTOP.name(installation)


def programs_name(installation: str, programs: Mapping[str, str]) -> str:
    """The name of the ConfigMap with what is ours in pods: another one for other programs."""
    held = "\0".join(part for name in sorted(programs) for part in (name, programs[name]))
    return object_names.PROGRAMS.name(installation, sha256(held.encode()).hexdigest()[:10])


def labels(installation: str) -> dict[str, str]:
    """What all objects of an installation's sessions carry."""
    return {
        "app.kubernetes.io/name": SERVICE,
        "app.kubernetes.io/component": "session",
        INSTALLATION: installation,
    }


def run_labels(key: RunKey, installation: str) -> dict[str, str]:
    return labels(installation) | {SESSION: str(key.session_id), RUN: str(key.run_id)}


def volume_labels(volume_id: UUID, installation: str) -> dict[str, str]:
    return labels(installation) | {VOLUME: str(volume_id)}


def volume_id(metadata: Mapping[str, Any]) -> UUID | None:
    """The volume whose claim has this metadata; None if it is not of our making."""
    try:
        volume = UUID(metadata["labels"][VOLUME])
    except (KeyError, ValueError):
        return None
    return volume if metadata["name"] == claim_name(volume) else None


def run_key(labels: Mapping[str, str]) -> RunKey | None:
    """The run that an object with these labels belongs to; None if they are not of our making."""
    try:
        return RunKey(session_id=UUID(labels[SESSION]), run_id=UUID(labels[RUN]))
    except (KeyError, ValueError):
        return None


def pod_key(metadata: Mapping[str, Any]) -> RunKey | None:
    """The run whose pod has this metadata. Labels can be copied to another pod; the name is there
    once.
    """
    key = run_key(metadata.get("labels", {}))
    return key if key is not None and metadata["name"] == run_name(key) else None


def selector(installation: str) -> str:
    """The label selector of all that is this installation's."""
    return f"{INSTALLATION}={installation}"
