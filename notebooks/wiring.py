"""Chooses the backend that the settings name. The only place that knows them all."""

from functools import cache

from django.conf import settings

from notebooks.backends.contract import Backend
from notebooks.backends.fake import FakeBackend
from notebooks.backends.kubernetes.config import read_site
from notebooks.backends.local.backend import LocalBackend


@cache
def backend() -> Backend:
    """Return this process's backend."""
    match settings.BACKEND:
        case "kubernetes":
            # Its libraries are for the processes that talk to a cluster.
            from notebooks.backends.kubernetes.api import Api  # noqa: PLC0415
            from notebooks.backends.kubernetes.backend import KubernetesBackend  # noqa: PLC0415

            site = read_site(settings.KUBERNETES)
            return KubernetesBackend(site, Api(namespace=site.namespace))
        case "local":
            return LocalBackend(
                data=settings.DATA_DIR,
                runtime=settings.RUNTIME_DIR,
                jupyter=settings.LOCAL_JUPYTER,
            )
        case "fake":
            return FakeBackend()
        case unknown:
            raise ValueError(f"SUBMARINE_BACKEND: there is no backend {unknown!r}")
