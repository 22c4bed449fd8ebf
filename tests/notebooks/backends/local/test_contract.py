"""The local backend keeps the contract."""

from tests.contracts.backend_suite import BackendContract


class TestLocalBackend(BackendContract):
    """With the `site` of this folder's conftest."""
