"""Keeps volumes as PersistentVolumeClaims: one each, or one that an operator gave."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from uuid import UUID

from notebooks.backends.kubernetes import storage
from notebooks.backends.kubernetes.amounts import amount
from notebooks.backends.kubernetes.api import Api, ApiError, Json
from notebooks.backends.kubernetes.config import SiteConfig
from notebooks.backends.kubernetes.names import VOLUME, use_label, volume_id
from notebooks.backends.kubernetes.names import selector as selector_of
from notebooks.backends.kubernetes.objects import Objects
from notebooks.backends.kubernetes.parts import ClaimParts
from notebooks.backends.kubernetes.refusals import growth_refusal
from submarine_site.core.object_names import LABEL_PREFIX, is_own_name
from submarine_site.core.outside import BackendRefused, BackendUnavailable
from submarine_site.core.pod_shapes import DNS_SUBDOMAIN
from volumes.contract import VolumeSeen, VolumeSpec

logger = logging.getLogger(__name__)

MIB = 1024**2


class Claims:
    """See `volumes.contract.Keeper`. Threads may share it."""

    def __init__(self, site: SiteConfig, api: Api, objects: Objects) -> None:
        self._site = site
        self._api = api
        self._objects = objects

    def ensure(self, spec: VolumeSpec) -> None:
        if spec.claim:
            self._require_adopted(spec.claim)
        else:
            self._objects.create("persistentvolumeclaims", storage.claim(spec, self._site))

    def grow(self, spec: VolumeSpec) -> None:
        if spec.claim:
            raise BackendRefused(
                "An operator gave this storage: its size is not the service's to change.",
                code="volume_not_growable",
            )
        claim = self._ours(spec)
        if claim is None or "deletionTimestamp" in claim["metadata"]:
            raise BackendRefused("The volume is not there any more.", code="volume_missing")
        size = storage.size(spec, self._site)
        if amount(claim["spec"]["resources"]["requests"]["storage"]) >= amount(size):
            return
        if claim["status"].get("phase") != "Bound":
            raise BackendRefused(
                "It has no storage yet: it can grow once a session has started with it.",
                code="volume_unbound",
            )
        self._request(claim, size)

    def delete(self, spec: VolumeSpec) -> None:
        # A claim that is deleted while a pod uses it is doomed, and the pod goes on.
        if self._is_used(spec.id):
            raise BackendRefused("A session uses this volume.", code="volume_in_use")
        if not spec.claim and (claim := self._ours(spec)):
            self._api.delete(_path(spec), uid=claim["metadata"]["uid"])

    def observe(self) -> Mapping[UUID, VolumeSeen]:
        ours = f"{selector_of(self._site.installation)},{VOLUME}"
        claims = self._api.get_list(ClaimParts, "persistentvolumeclaims", labelSelector=ours)
        return {
            volume: VolumeSeen(capacity_mib=_capacity_mib(claim))
            for claim in claims["items"]
            if (volume := volume_id(claim["metadata"]))
        }

    def _ours(self, spec: VolumeSpec) -> Json | None:
        return self._objects.ours(_path(spec), VOLUME, spec.id)

    def _is_used(self, volume: UUID) -> bool:
        ours = selector_of(self._site.installation)
        return any(
            self._api.get_metadata("pods", labelSelector=f"{ours},{used}")
            for used in (use_label(volume), f"{VOLUME}={volume}")
        )

    def _require_adopted(self, name: str) -> None:
        # What is no name would be another path of the API.
        is_name = not list(DNS_SUBDOMAIN(name, ""))
        claim = self._objects.read(f"persistentvolumeclaims/{name}") if is_name else None
        if is_own_name(name):
            problem = storage.own_claim(name)
        elif claim is None:
            problem = f"There is no claim “{name}” where the sessions are."
        elif "deletionTimestamp" in claim["metadata"]:
            problem = f"The claim “{name}” is being removed."
        elif _is_marked(claim["metadata"]):
            problem = storage.own_claim(name)
        else:
            return
        raise BackendRefused(problem, code="volume_missing")

    def _request(self, claim: Json, size: str) -> None:
        name, uid = claim["metadata"]["name"], claim["metadata"]["uid"]
        wanted: Json = {
            "metadata": {"uid": uid},
            "spec": {"resources": {"requests": {"storage": size}}},
        }
        try:
            self._api.merge(f"persistentvolumeclaims/{name}", wanted)
        except ApiError as error:
            # Something changed it meanwhile, or many are counted against one quota at once.
            if error.status in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
                raise BackendUnavailable(f"The cluster was busy: {error.said}") from error
            logger.warning("%s: %s", name, error)
            code, sentence = growth_refusal(error.status, error.reason, error.said)
            raise BackendRefused(sentence, code=code) from error


def _is_marked(metadata: Json) -> bool:
    """Whether it is of this service, of whichever installation."""
    keys = {*metadata.get("labels", {}), *metadata.get("annotations", {})}
    return any(key.startswith(LABEL_PREFIX) for key in keys)


def _path(spec: VolumeSpec) -> str:
    return f"persistentvolumeclaims/{storage.claim_name(spec)}"


def _capacity_mib(claim: Json) -> int | None:
    capacity = claim.get("status", {}).get("capacity", {}).get("storage")
    return int(amount(capacity) // MIB) if capacity else None
