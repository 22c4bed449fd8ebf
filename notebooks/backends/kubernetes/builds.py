"""Builds kernels by Jobs, into one claim that session pods have read-only.

An attempt is a Job and a Secret, both named by digest and attempt. How it ended is the last line of
its log; where that is gone with the pod, the next attempt finds what was built and says it again.
"""

from datetime import datetime, timedelta
from http import HTTPStatus

from environments.builder.outcome import BuildFailed, Outcome, read_outcome
from environments.builder.request import Site
from environments.building import BuildProgress, BuildSeen, BuildSpec, ended
from notebooks.backends.kubernetes import build_manifests
from notebooks.backends.kubernetes.amounts import amount, size
from notebooks.backends.kubernetes.api import Api, ApiError, Json
from notebooks.backends.kubernetes.build_manifests import CONTAINER
from notebooks.backends.kubernetes.config import SiteConfig
from notebooks.backends.kubernetes.names import (
    BUILD,
    BUILDS_OF,
    build_labels,
    build_name,
    discard_name,
    store_name,
)
from notebooks.backends.kubernetes.objects import Objects
from submarine_site.core.outside import BackendRefused, BackendUnavailable

LOG_BYTES = 4 * 1024 * 1024
PULL_PATIENCE = timedelta(minutes=2)
_UNPULLABLE = {"ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff", "InvalidImageName"}


class KubernetesBuilder:
    def __init__(self, site: SiteConfig, api: Api, packages: Site, *, memory_mib: int) -> None:
        self._site = site
        self._api = api
        self._packages = packages
        self._memory_mib = memory_mib
        self._objects = Objects(site, api)

    def begin(self, spec: BuildSpec) -> None:
        if not self._site.has_store:
            raise BackendRefused(
                "This cluster has no store for environments with packages of their own.",
                code="no_environment_store",
            )
        name = build_name(spec.digest, spec.attempt)
        if self._objects.read(f"jobs/{name}"):
            return
        if not self._end(spec.digest):
            raise BackendUnavailable("An earlier build of it is still being ended.")
        self._objects.require_shared()
        self._objects.create("persistentvolumeclaims", build_manifests.claim(self._site))
        secret = build_manifests.secret(spec, self._site, self._packages)
        self._objects.create("secrets", secret)
        job = build_manifests.job(spec, self._site, self._packages, memory_mib=self._memory_mib)
        self._objects.create("jobs", job)

    def observe(self, digest: str, attempt: int) -> BuildSeen | None:
        name = build_name(digest, attempt)
        job = self._objects.read(f"jobs/{name}")
        if job is None:
            return None
        pod = self._pod(name)
        conditions = {
            each["type"]: each.get("reason", "")
            for each in job["status"].get("conditions", [])
            if each["status"] == "True"
        }
        if "Complete" in conditions:
            return ended(self._said(name, lines=1))
        if "Failed" in conditions:
            return self._failed(name, conditions["Failed"], pod)
        if pod and (failure := self._cannot_begin(pod)):
            return _failure(*failure)
        return BuildSeen(progress=BuildProgress.UNDER_WAY)

    def log(self, digest: str, attempt: int, *, lines: int) -> str:
        # One more: the last may be the outcome.
        said, _ = read_outcome(self._said(build_name(digest, attempt), lines=lines + 1))
        return "".join(said.splitlines(keepends=True)[-lines:])

    def clear(self, digest: str) -> None:
        self._end(digest)

    def discard(self, digest: str, *, image: str) -> None:
        name = discard_name(digest)
        job = self._objects.read(f"jobs/{name}")
        if job is None:
            if not self._end(digest):
                raise BackendUnavailable("The build is still being ended.")
            store = store_name(self._site.installation)
            if self._objects.read(f"persistentvolumeclaims/{store}") is None:
                # Nothing was ever built.
                return
            self._objects.create("secrets", build_manifests.discard_secret(digest, self._site))
            self._objects.create(
                "jobs",
                build_manifests.discard_job(digest, image, self._site, memory_mib=self._memory_mib),
            )
        elif job["status"].get("succeeded"):
            self._end(digest)
            return
        elif job["status"].get("failed"):
            # Its node was lost, or it was ended: another takes its place at the next look.
            self._end(digest)
        raise BackendUnavailable("What was built is being removed.")

    def _end(self, digest: str) -> bool:
        """Remove the Jobs and Secrets of a digest; whether nothing of it is left to run."""
        labels = build_labels(digest, self._site.installation)
        ours = ",".join(f"{key}={labels[key]}" for key in (BUILDS_OF, BUILD))
        jobs = self._api.get_metadata("jobs", labelSelector=ours)
        secrets = self._api.get_metadata("secrets", labelSelector=ours)
        for kind, found in (("jobs", jobs), ("secrets", secrets)):
            for each in found:
                metadata = each["metadata"]
                self._api.delete(f"{kind}/{metadata['name']}", uid=metadata["uid"])
        return not jobs and not self._api.get_metadata("pods", labelSelector=ours)

    def _pod(self, name: str) -> Json | None:
        """The pod of a Job: where one was deleted, that which took its place."""
        pods = self._api.get("pods", labelSelector=f"job-name={name}")["items"]
        return max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)

    def _said(self, name: str, *, lines: int) -> str:
        pod = self._pod(name)
        if pod is None:
            return ""
        try:
            return self._api.get_text(
                f"pods/{pod['metadata']['name']}/log",
                container=CONTAINER,
                tailLines=lines,
                limitBytes=LOG_BYTES,
            )
        except ApiError as error:
            # There is no pod any more, or its container has not begun.
            if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST}:
                return ""
            raise

    def _failed(self, name: str, reason: str, pod: Json | None) -> BuildSeen:
        """It was ended from outside: by its deadline, for its memory, with its node."""
        if reason == "DeadlineExceeded":
            return _failure(
                "build_timed_out",
                f"The build did not end within {self._packages.seconds} s of its own and "
                f"{build_manifests.WAITING_SECONDS} s of waiting.",
            )
        status = pod["status"] if pod else {}
        containers = (
            *status.get("initContainerStatuses", []),
            *status.get("containerStatuses", []),
        )
        endings = [each["state"].get("terminated", {}) for each in containers]
        if any(each.get("reason") == "OOMKilled" for each in endings):
            limit = size(amount(f"{self._memory_mib}Mi"))
            return _failure("build_out_of_memory", f"The build used all of its {limit} of memory.")
        if status.get("reason") == "Evicted" and "ephemeral" in status.get("message", ""):
            return _failure("build_out_of_disk", "The build filled the scratch space of its node.")
        if tools := next((each for each in endings[:1] if each.get("exitCode")), None):
            return _failure(
                "build_failed",
                "The image that builds has nothing to build with in "
                f"{build_manifests.IMAGE_TOOLS} (exit code {tools['exitCode']}).",
            )
        return ended(self._said(name, lines=1))

    def _cannot_begin(self, pod: Json) -> tuple[str, str] | None:
        created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
        if self._api.now() - created < PULL_PATIENCE:
            return None
        status = pod["status"]
        for each in (
            *status.get("initContainerStatuses", []),
            *status.get("containerStatuses", []),
        ):
            if each["state"].get("waiting", {}).get("reason") in _UNPULLABLE:
                return "image_pull_failed", f"The image {each['image']} could not be pulled."
        return None


def _failure(code: str, message: str) -> BuildSeen:
    outcome = Outcome.of_failure(BuildFailed(code, message))
    return BuildSeen(progress=BuildProgress.FAILED, outcome=outcome)
