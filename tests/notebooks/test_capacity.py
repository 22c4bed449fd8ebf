"""What there is for sessions, and how much of it they were promised."""

import re

import pytest

from accounts.models import User
from notebooks import capacity, tasks
from notebooks.backends.contract import Capacity
from notebooks.backends.fake import FakeBackend
from notebooks.states import SessionStatus as S
from submarine_site.core.redis import client
from tests.broker import Broker
from tests.conftest import browser_of
from tests.factories import ProfileFactory, SessionFactory

pytestmark = pytest.mark.django_db


def shown(operator: User) -> str:
    return str(browser_of(operator).get("/admin/").context["dashboard"]["capacity"])


def test_the_start_page_sets_what_is_promised_against_it(
    operator: User, broker: Broker, backend: FakeBackend
) -> None:
    backend.has = Capacity(cpu_milli=8000, memory_mib=3 * 1024, gpus={"nvidia.com/gpu": 4})
    big = ProfileFactory.create(gpus=1, accelerator="a100", gpu_resource="nvidia.com/gpu")
    SessionFactory.create_batch(2, status=S.RUNNING, profile=big)
    tasks.reconcile_all()
    assert re.findall("<span>(.+?)</span>", shown(operator)) == [
        "2 of 8 CPU",
        "4 of 3 GiB <strong>over</strong>",
        "2 of 4 GPU a100",
    ]


def test_classes_that_the_cluster_does_not_tell_apart_are_summed() -> None:
    for accelerator in ("a100", "t4"):
        ProfileFactory.create(gpus=1, accelerator=accelerator, gpu_resource="nvidia.com/gpu")
    ProfileFactory.create(gpus=1, accelerator="mi300", gpu_resource="amd.com/gpu")
    there = Capacity(cpu_milli=1000, memory_mib=1024, gpus={"nvidia.com/gpu": 8})
    used = {"gpu:a100": 1, "gpu:t4": 2, "gpu:mi300": 1}
    texts = [each.text for each in capacity.against(there, used)]
    assert texts[2:] == ["1 of 0 GPU mi300", "3 of 8 GPU"]


def test_where_it_is_not_to_be_seen_the_page_says_how_it_can_be(
    operator: User, broker: Broker, backend: FakeBackend
) -> None:
    capacity.look()
    client().delete("capacity:looked")
    backend.has = None
    capacity.look()
    assert shown(operator) == ""
    page = browser_of(operator).get("/admin/").content.decode()
    assert "deploy/kubernetes/rbac-nodes.yaml" in page


def test_it_is_looked_at_once_a_minute_and_known_for_a_quarter_of_an_hour(
    backend: FakeBackend,
) -> None:
    capacity.look()
    first = backend.has
    backend.has = Capacity(cpu_milli=1, memory_mib=1)
    capacity.look()
    assert capacity.known() == first
    assert 0 < client().ttl("capacity:looked") <= 60
    assert 60 < client().ttl("capacity:kept") <= 900
