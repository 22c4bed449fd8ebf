"""Chooses the backend that the settings name, and the builder that goes with it. The only place
that knows them all.
"""

import os
from dataclasses import replace
from functools import cache

from django.conf import settings

from environments.builder.request import Site
from environments.building import Builder
from notebooks.backends.contract import Backend
from notebooks.backends.fake import FakeBackend
from notebooks.backends.fake_builder import FakeBuilder
from notebooks.backends.kubernetes.config import read_site
from notebooks.backends.local.backend import LocalBackend
from notebooks.backends.local.builds import LocalBuilder
from notebooks.code_sources import code_rules

_PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")


@cache
def backend() -> Backend:
    """Return this process's backend."""
    match settings.BACKEND:
        case "kubernetes":
            # Its libraries are for the processes that talk to a cluster.
            from notebooks.backends.kubernetes.api import Api  # noqa: PLC0415
            from notebooks.backends.kubernetes.backend import KubernetesBackend  # noqa: PLC0415

            site = replace(read_site(settings.KUBERNETES), code_rules=code_rules())
            return KubernetesBackend(site, Api(namespace=site.namespace))
        case "local":
            return LocalBackend(
                data=settings.DATA_DIR,
                runtime=settings.RUNTIME_DIR,
                jupyter=settings.LOCAL_JUPYTER,
                code_rules=code_rules(),
            )
        case "fake":
            return FakeBackend()
        case unknown:
            raise _unknown(unknown)


@cache
def builder() -> Builder:
    """Return this process's builder."""
    limits = settings.BUILDS
    site = Site(
        indexes=limits["indexes"],
        environment={name: os.environ[name] for name in _PROXIES if name in os.environ},
        ca=limits["ca_certificates"],
        seconds=limits["seconds"],
        size_bytes=limits["size_mib"] * 1024**2,
    )
    match settings.BACKEND:
        case "kubernetes":
            from notebooks.backends.kubernetes.api import Api  # noqa: PLC0415
            from notebooks.backends.kubernetes.builds import KubernetesBuilder  # noqa: PLC0415

            cluster = read_site(settings.KUBERNETES)
            api = Api(namespace=cluster.namespace)
            return KubernetesBuilder(cluster, api, site, memory_mib=limits["memory_mib"])
        case "local":
            return LocalBuilder(data=settings.DATA_DIR, site=site, memory_mib=limits["memory_mib"])
        case "fake":
            return FakeBuilder()
        case unknown:
            raise _unknown(unknown)


def _unknown(name: str) -> ValueError:
    return ValueError(f"SUBMARINE_BACKEND: there is no backend {name!r}")
