"""One running service for the tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.service import Program, Service, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data: Path = tmp_path_factory.mktemp("stack") / "data"
    # Short, so that a server that never answers is given up in a test's time.
    with running(data, SUBMARINE_START_TIMEOUT="15") as service:
        yield service


@pytest.fixture
def demo(service: Service) -> Program:
    """The demo user's program."""
    return Program(service)
