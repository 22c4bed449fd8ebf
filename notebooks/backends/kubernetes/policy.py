"""Keeps the NetworkPolicy of all pods of an installation in the cluster: sessions' and builds'."""

from http import HTTPStatus
from threading import Lock

from notebooks.backends.contract import BackendRefused
from notebooks.backends.kubernetes import manifests
from notebooks.backends.kubernetes.api import Api, ApiError
from notebooks.backends.kubernetes.config import SiteConfig
from notebooks.backends.kubernetes.names import policy_name


class Policy:
    def __init__(self, site: SiteConfig, api: Api) -> None:
        self._site = site
        self._api = api
        self._lock = Lock()
        self._is_there = False

    def require(self) -> None:
        """See it there before the first pod of this process. Later on, `keep` keeps it there."""
        with self._lock:
            if not self._is_there:
                self.keep()

    def keep(self) -> None:
        """Make it, or make it what it is to be."""
        wanted = manifests.network_policy(self._site)
        path = f"networkpolicies/{policy_name(self._site.installation)}"
        try:
            there = self._api.find(path)
            if there is None:
                self._api.create("networkpolicies", wanted)
            elif there["spec"] != wanted["spec"]:
                _refuse_anothers(there["metadata"], wanted["metadata"])
                self._api.replace(path, wanted)
        except ApiError as error:
            # Another process was first.
            if error.status != HTTPStatus.CONFLICT:
                raise
        self._is_there = True
