"""What the cluster is to refuse by itself."""

import pytest

from notebooks import tasks
from notebooks.backends.contract import Ceiling
from notebooks.backends.fake import FakeBackend
from notebooks.ceiling import site_ceiling
from quotas.amounts import CPU, MEMORY, SESSIONS, gpu
from quotas.models import Scope
from tests.factories import LimitFactory, ProfileFactory

pytestmark = pytest.mark.django_db


def test_without_limits_of_the_site_there_is_none() -> None:
    LimitFactory.create(resource=SESSIONS, amount=2)
    assert site_ceiling() == Ceiling()


def test_it_has_the_site_s_limits_a_tenth_more_and_room_for_builds(settings) -> None:
    settings.BUILDS = {**settings.BUILDS, "memory_mib": 1000}
    for resource, amount in [(SESSIONS, 100), (CPU, 10_000), (MEMORY, 50_001)]:
        LimitFactory.create(scope=Scope.SITE, resource=resource, amount=amount)
    assert site_ceiling() == Ceiling(pods=116, cpu_milli=19_000, memory_mib=59_002)


def test_gpus_are_bounded_by_what_the_cluster_calls_them_if_each_class_is() -> None:
    for name, accelerator, resource in [
        ("one", "a100", "nvidia.com/gpu"),
        ("two", "h100", "nvidia.com/gpu"),
        ("three", "mi300", "amd.com/gpu"),
        ("four", "free", "other.com/gpu"),
        ("five", "a100", "other.com/gpu"),
    ]:
        ProfileFactory.create(name=name, gpus=1, accelerator=accelerator, gpu_resource=resource)
    for accelerator, amount in [("a100", 10), ("h100", 4), ("mi300", 0)]:
        LimitFactory.create(scope=Scope.SITE, resource=gpu(accelerator), amount=amount)
    assert site_ceiling() == Ceiling(gpus={"nvidia.com/gpu": 16, "amd.com/gpu": 0})


def test_the_backend_is_told(backend: FakeBackend) -> None:
    LimitFactory.create(scope=Scope.SITE, resource=CPU, amount=1000)
    tasks.tidy()
    assert backend.ceiling == Ceiling(cpu_milli=9100)
