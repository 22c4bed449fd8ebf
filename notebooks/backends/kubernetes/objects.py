"""The cluster's objects of one installation: made once, and never another's."""

import logging
from http import HTTPStatus
from threading import Lock
from uuid import UUID

from notebooks.backends.contract import Ceiling
from notebooks.backends.kubernetes import manifests
from notebooks.backends.kubernetes.amounts import amount
from notebooks.backends.kubernetes.api import Api, ApiError, Json
from notebooks.backends.kubernetes.config import SiteConfig
from notebooks.backends.kubernetes.names import INSTALLATION
from notebooks.backends.kubernetes.refusals import refusal
from submarine_site.core.outside import BackendRefused, BackendUnavailable

logger = logging.getLogger(__name__)


class Objects:
    """Threads may share it."""

    def __init__(self, site: SiteConfig, api: Api) -> None:
        self._site = site
        self._api = api
        self._shared_lock = Lock()
        self._has_shared = False

    def create(self, resource: str, body: Json) -> None:
        """Make an object, or leave the one of ours that is there already."""
        try:
            self._api.create(resource, body)
        except ApiError as error:
            exists = error.reason == "AlreadyExists"
            # A quota is asked before the name is looked up: what is there may be called too much.
            if exists or error.status == HTTPStatus.FORBIDDEN:
                there = self.read(f"{resource}/{body['metadata']['name']}")
                if exists or there:
                    _adopt(there, body)
                    return
            if error.status == HTTPStatus.CONFLICT:
                # Of a quota that many pods are counted against at once.
                raise BackendUnavailable(f"The cluster was busy: {error.said}") from error
            logger.warning("%s: %s", body["metadata"]["name"], error)
            code, sentence = refusal(error.status, error.reason, error.said)
            if resource == "persistentvolumeclaims":
                code = "volume_refused"
            raise BackendRefused(sentence, code=code) from error

    def ours(self, path: str, label: str, of: UUID) -> Json | None:
        """Read an object; None if there is none, or one that is not ours."""
        found = self.read(path)
        if found is None:
            return None
        labels = found["metadata"].get("labels", {})
        ours = {INSTALLATION: self._site.installation, label: str(of)}
        return found if ours.items() <= labels.items() else None

    def read(self, path: str) -> Json | None:
        try:
            return self._api.get(path)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def require_shared(self) -> None:
        """See there what all pods share, before the first one that this process makes."""
        with self._shared_lock:
            if not self._has_shared:
                self.keep_shared()

    def keep_shared(self) -> None:
        """Make what all pods share, or make it what it is to be."""
        self._keep("networkpolicies", manifests.network_policy(self._site))
        self.create("configmaps", manifests.programs_map(self._site))
        self._has_shared = True

    def keep_backstop(self, ceiling: Ceiling) -> None:
        """Have the namespace refuse what goes beyond it."""
        self._keep("resourcequotas", manifests.backstop(ceiling, self._site))

    def _keep(self, resource: str, wanted: Json) -> None:
        path = f"{resource}/{wanted['metadata']['name']}"
        try:
            there = self.read(path)
            if there is None:
                self._api.create(resource, wanted)
            elif _said(there) != _said(wanted):
                _adopt(there, wanted)
                self._api.replace(path, wanted)
        except ApiError as error:
            # Another process was first.
            if error.status != HTTPStatus.CONFLICT:
                raise


def _said(body: Json) -> Json:
    """What it says, with quantities as numbers: the cluster writes them in its own way."""
    spec: Json = body["spec"]
    if "hard" not in spec:
        return spec
    return {"hard": {name: amount(most) for name, most in spec["hard"].items()}}


def _adopt(there: Json | None, body: Json) -> None:
    """Take what is there for what was to be made; refuse if it is another's."""
    wanted = body["metadata"]
    if there is None or "deletionTimestamp" in there["metadata"]:
        raise BackendUnavailable("What was there before is still being removed.")
    labels = there["metadata"].get("labels", {})
    if not wanted["labels"].items() <= labels.items():
        raise BackendRefused(
            f"There is something of another's in the cluster under the name {wanted['name']}.",
            code="start_refused",
        )
