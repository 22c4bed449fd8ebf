"""Runs sessions as pods: one pod and one Secret for each run, one claim for each volume.

Names come from ids, so that whoever comes second finds what the first made; what lacks our labels
is never touched, whatever its name.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from notebooks.backends.contract import (
    Capacity,
    Ceiling,
    Observed,
    RunDescription,
    RunKey,
    RunState,
    SessionSpec,
)
from notebooks.backends.kubernetes import manifests, storage
from notebooks.backends.kubernetes.api import Api, ApiError, Json
from notebooks.backends.kubernetes.claims import Claims
from notebooks.backends.kubernetes.config import SiteConfig
from notebooks.backends.kubernetes.names import (
    DISPLAY_NAME,
    OWNER,
    RECORD,
    RUN,
    pod_key,
    run_name,
    selector,
)
from notebooks.backends.kubernetes.nodes import capacity_of
from notebooks.backends.kubernetes.objects import Objects
from notebooks.backends.kubernetes.observer import Observer
from notebooks.backends.kubernetes.parts import EventParts, PodParts
from notebooks.backends.kubernetes.patch import require_allowed
from notebooks.backends.kubernetes.watch import Watch
from submarine_site.core.outside import BackendRefused
from volumes.contract import VolumeSeen, VolumeSpec

logger = logging.getLogger(__name__)

LOG_BYTES = 1024 * 1024

LEFTOVER_AGE = timedelta(minutes=10)
"""How old a Secret without a pod has to be: it is made before its pod is."""

FORCE_AFTER = timedelta(minutes=2)
"""How long after its grace a pod may still be there before it is removed from the records: its
node does not answer, and may never do so again."""

SETTLED_AFTER = timedelta(seconds=10)
"""How long a start may be under way before a look at all runs reads events for it."""


class KubernetesBackend:
    def __init__(self, site: SiteConfig, api: Api) -> None:
        self._site = site
        self._api = api
        self._observer = Observer(api, place_patience=site.place_patience)
        self._objects = Objects(site, api)
        self._claims = Claims(site, api, self._objects)

    def start(self, spec: SessionSpec) -> None:
        if spec.kernels and not self._site.has_store:
            raise BackendRefused(
                "This cluster has no store for environments with packages of their own.",
                code="no_environment_store",
            )
        require_allowed(spec.placement, self._site)
        storage.require_others(spec)
        storage.require_free(spec, self._site)
        # No session runs without it. Later on, `tidy` keeps it there.
        self._objects.require_shared()
        name = run_name(spec.key)
        self._objects.create("secrets", manifests.secret(spec, self._site))
        try:
            self._objects.create("pods", manifests.pod(spec, self._site))
        except BackendRefused:
            self._api.delete(f"secrets/{name}")
            raise

    def stop(self, key: RunKey) -> None:
        name = run_name(key)
        # The pod last: while it is there, whoever looks knows that there is something to end.
        ours = f"{selector(self._site.installation)},{RUN}={key.run_id}"
        for secret in self._api.get_metadata(
            "secrets", fieldSelector=f"metadata.name={name}", labelSelector=ours
        ):
            self._api.delete(f"secrets/{name}", uid=secret["metadata"]["uid"])
        if pod := self._objects.ours(f"pods/{name}", RUN, key.run_id):
            self._remove(pod)

    def observe(self, key: RunKey) -> Observed | None:
        name = run_name(key)
        pod = self._objects.ours(f"pods/{name}", RUN, key.run_id)
        if pod is None:
            return None
        # By its name: not every controller says the uid.
        of_it = f"involvedObject.kind=Pod,involvedObject.name={name}"
        events = self._api.get_list(EventParts, "events", fieldSelector=of_it)["items"]
        return self._observer.look(pod, events)

    def observe_all(self) -> Mapping[RunKey, Observed]:
        ours = selector(self._site.installation)
        pods: dict[RunKey, Json] = {
            key: pod
            for pod in self._api.get_list(PodParts, "pods", labelSelector=ours)["items"]
            if (key := pod_key(pod["metadata"]))
        }
        seen = {key: self._observer.look(pod, None) for key, pod in pods.items()}
        unclear = {key: pod for key, pod in pods.items() if self._is_unclear(pod, seen[key])}
        if unclear:
            events: defaultdict[str, list[Json]] = defaultdict(list)
            of_pods = "involvedObject.kind=Pod"
            for event in self._api.get_list(EventParts, "events", fieldSelector=of_pods)["items"]:
                events[event["involvedObject"]["name"]].append(event)
            for key, pod in unclear.items():
                seen[key] = self._observer.look(pod, events[pod["metadata"]["name"]])
        return seen

    def describe(self, keys: Collection[RunKey]) -> Mapping[RunKey, RunDescription]:
        ours = selector(self._site.installation)
        pods = self._api.get_metadata("pods", labelSelector=ours)
        return {
            key: self._description(pod["metadata"])
            for pod in pods
            if (key := pod_key(pod["metadata"])) and key in keys
        }

    def changes(self) -> Iterator[Mapping[RunKey, Observed | None]]:
        return Watch(self._api, selector(self._site.installation), self._observer.look).changes()

    def logs(self, key: RunKey, *, lines: int) -> str:
        try:
            return self._api.get_text(
                f"pods/{run_name(key)}/log",
                container=manifests.CONTAINER,
                tailLines=lines,
                limitBytes=LOG_BYTES,
            )
        except ApiError as error:
            # There is no pod, or its container has not begun.
            if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST}:
                return ""
            raise

    def forget(self, session_id: UUID) -> None:
        """Nothing is kept: a log goes with its pod."""

    def capacity(self) -> Capacity | None:
        nodes = self._observer.nodes()
        return None if nodes is None else capacity_of(nodes)

    def keep_below(self, ceiling: Ceiling) -> None:
        if self._site.quota_backstop:
            self._objects.keep_backstop(ceiling)

    def tidy(self) -> None:
        self._objects.keep_shared()
        ours = selector(self._site.installation)
        # The Secrets first: of one that is listed the pod has been made by now, if there is one.
        secrets = self._api.get_metadata("secrets", labelSelector=ours)
        pods = self._api.get_metadata("pods", labelSelector=ours)
        needed = {pod["metadata"]["name"] for pod in pods}
        for secret in secrets:
            metadata = secret["metadata"]
            if metadata["name"] not in needed and self._age(secret) > LEFTOVER_AGE:
                self._api.delete(f"secrets/{metadata['name']}", uid=metadata["uid"])

    def ensure_volume(self, spec: VolumeSpec) -> None:
        self._claims.ensure(spec)

    def grow_volume(self, spec: VolumeSpec) -> None:
        self._claims.grow(spec)

    def delete_volume(self, spec: VolumeSpec) -> None:
        self._claims.delete(spec)

    def observe_volumes(self) -> Mapping[UUID, VolumeSeen]:
        return self._claims.observe()

    def _description(self, metadata: Json) -> RunDescription:
        annotations = metadata.get("annotations", {})
        return RunDescription(
            created_at=_time(metadata["creationTimestamp"]) - self._api.offset,
            owner=annotations.get(OWNER, ""),
            display_name=annotations.get(DISPLAY_NAME, ""),
            record=_record(annotations.get(RECORD, "")),
        )

    def _remove(self, pod: Json) -> None:
        metadata = pod["metadata"]
        path = f"pods/{metadata['name']}"
        if "deletionTimestamp" not in metadata:
            self._api.delete(path, uid=metadata["uid"])
        elif _has_ended(pod) or self._is_overdue(metadata["deletionTimestamp"]):
            # Where all has ended it is the record alone that is left, for up to ten seconds more.
            self._api.delete(path, uid=metadata["uid"], grace_seconds=0)

    def _is_unclear(self, pod: Json, seen: Observed) -> bool:
        """Whether its events matter. Of a young start the watcher tells, and in a rush of them
        there are many.
        """
        if seen.state is RunState.STARTING:
            return self._age(pod) > SETTLED_AFTER
        return seen.state is RunState.EXITED

    def _is_overdue(self, gone_by: str) -> bool:
        return self._api.now() > _time(gone_by) + FORCE_AFTER

    def _age(self, of: Json) -> timedelta:
        return self._api.now() - _time(of["metadata"]["creationTimestamp"])


def _has_ended(pod: Json) -> bool:
    """Whether its node has said that every process of it is gone."""
    containers = pod["status"].get("containerStatuses", [])
    return bool(containers) and all("terminated" in each["state"] for each in containers)


def _record(written: str) -> Mapping[str, Any]:
    """Read the annotation; nothing if it was changed to what it cannot be."""
    try:
        record = json.loads(written)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _time(written: str) -> datetime:
    return datetime.fromisoformat(written)
