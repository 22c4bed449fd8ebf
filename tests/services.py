"""Gives the tests PostgreSQL and Redis: those of the environment, else ones of their own.

A plugin rather than a conftest, because Django's settings are read before any conftest is.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from submarine_site.quickstart import ephemeral

_servers = ExitStack()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Start what is missing; the workers of pytest-xdist inherit the addresses."""
    if "DATABASE_URL" in os.environ and "REDIS_URL" in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="submarine-tests-"))
    urls = _servers.enter_context(ephemeral.running(folder))
    os.environ.setdefault("DATABASE_URL", urls.database)
    os.environ.setdefault("REDIS_URL", urls.redis)


def pytest_unconfigure() -> None:
    _servers.close()
