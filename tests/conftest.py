"""What tests share: the people, the catalogue, a fake backend, and Redis to oneself."""

import os
from collections.abc import Iterator

import pytest
from django.test import Client
from rest_framework.test import APIClient

# As in every process of the service: the tasks' queue is this application's.
import submarine_site.celery  # noqa: F401
from accounts.models import User
from environments.models import Environment
from notebooks import wiring
from notebooks.backends.fake import FakeBackend
from notebooks.backends.fake_builder import FakeBuilder
from quotas.models import ResourceProfile
from submarine_site.core import redis
from tests import factories


@pytest.fixture(autouse=True)
def own_redis(settings) -> Iterator[None]:
    """Each worker of the test runner has a Redis database to itself, empty at each test."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) + 1
    base = os.environ["REDIS_URL"]
    if base.startswith("unix:"):
        settings.REDIS_URL = f"{base.partition('?')[0]}?db={number}"
    else:
        settings.REDIS_URL = f"{base.rsplit('/', 1)[0]}/{number}"
    redis.client.cache_clear()
    redis.client().flushdb()
    yield
    redis.client().close()
    redis.client.cache_clear()


@pytest.fixture(autouse=True)
def backend() -> Iterator[FakeBackend]:
    """The backend that the service uses, empty at each test."""
    wiring.backend.cache_clear()
    fake = wiring.backend()
    assert isinstance(fake, FakeBackend)
    yield fake
    wiring.backend.cache_clear()


@pytest.fixture(autouse=True)
def builder() -> Iterator[FakeBuilder]:
    """The builder that the service uses, empty at each test."""
    wiring.builder.cache_clear()
    fake = wiring.builder()
    assert isinstance(fake, FakeBuilder)
    yield fake
    wiring.builder.cache_clear()


@pytest.fixture
def ada(db: None) -> User:
    """The owner."""
    return factories.UserFactory.create(username="ada")


@pytest.fixture
def mallory(db: None) -> User:
    """A stranger."""
    return factories.UserFactory.create(username="mallory")


@pytest.fixture
def operator(db: None) -> User:
    return factories.UserFactory.create(username="olga", is_staff=True, is_superuser=True)


@pytest.fixture
def small(db: None) -> ResourceProfile:
    return factories.ProfileFactory.create(name="small", cpu_milli=1000, memory_mib=2048)


@pytest.fixture
def plain(db: None) -> Environment:
    return factories.EnvironmentFactory.create(name="notebook-env")


@pytest.fixture
def api(ada: User) -> APIClient:
    """Ada's program."""
    return api_of(ada)


@pytest.fixture
def browser(ada: User) -> Client:
    """Ada's browser."""
    return browser_of(ada)


def api_of(user: User | None) -> APIClient:
    client = APIClient()
    if user is not None:
        client.force_authenticate(user)
    return client


def browser_of(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client
