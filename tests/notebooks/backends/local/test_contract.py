"""The local backend keeps the contract."""

import os

import psutil

from notebooks.backends.contract import Capacity
from tests.contracts.backend_suite import BackendContract
from tests.notebooks.backends.local.conftest import LocalSite


class TestLocalBackend(BackendContract):
    """With the `site` of this folder's conftest."""


def test_there_is_what_the_machine_has(site: LocalSite) -> None:
    assert site.backend.capacity() == Capacity(
        cpu_milli=(os.cpu_count() or 0) * 1000,
        memory_mib=psutil.virtual_memory().total // 1024**2,
    )
