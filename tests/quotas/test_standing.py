"""What a user has, may have, and what would fit."""

import pytest
from django.contrib.auth.models import Group

from accounts.models import User
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from quotas.amounts import of
from quotas.standing import fits, standing_of
from tests.factories import LimitFactory, ProfileFactory, SessionFactory, VolumeFactory

pytestmark = pytest.mark.django_db

ONE = {"sessions": 1, "cpu_milli": 1000}


@pytest.fixture
def running(ada: User, small) -> NotebookSession:
    return SessionFactory.create(owner=ada, name="mine", profile=small, status=S.RUNNING)


@pytest.mark.parametrize(
    ("resource", "used", "limit", "text"),
    [
        ("sessions", 3, 5, "3 of 5"),
        ("cpu_milli", 500, 8000, "0.5 of 8"),
        ("memory_mib", 24 * 1024, 64 * 1024, "24 of 64 GiB"),
        ("memory_mib", 512, 10 * 1024, "512 MiB of 10 GiB"),
        ("gpu:a100", 0, 0, "0 of 0"),
        ("cpu_milli", 4000, None, "4 CPU"),
        ("sessions", 1, None, "1 session"),
    ],
)
def test_use_is_said_in_numbers(resource: str, used: int, limit: int | None, text: str) -> None:
    assert of(resource, used, limit) == text


def test_all_that_has_a_limit_or_is_in_use_is_shown(ada: User, running: NotebookSession) -> None:
    LimitFactory.create(resource="sessions", amount=3)
    LimitFactory.create(resource="gpu:a100", amount=0)
    VolumeFactory.create(owner=ada, size_mib=2048)
    SessionFactory.create(status=S.RUNNING)
    standing = standing_of(ada.pk)
    assert [(bar.label, bar.text) for bar in standing.bars()] == [
        ("sessions", "1 of 3"),
        ("CPU", "1 CPU"),
        ("memory", "2 GiB"),
        ("GPU a100", "0 of 0"),
        ("storage", "2 GiB"),
        ("volumes", "1 volume"),
    ]
    assert [bar.label for bar in standing.of_sessions] == ["sessions", "CPU", "memory", "GPU a100"]


def test_what_holds_has_a_name(ada: User, running: NotebookSession) -> None:
    volume = VolumeFactory.create(owner=ada, name="data")
    session, kept = standing_of(ada.pk).holdings()
    assert (session.name, session.can_stop, session.is_ending) == ("mine", True, False)
    assert session.amounts == {"sessions": 1, "cpu_milli": 1000, "memory_mib": 2048}
    assert session.holder is not None
    assert session.holder.address == f"/sessions/{running.pk}"
    assert (kept.name, kept.id, kept.can_stop) == ("data", volume.pk, False)


def test_what_fits_is_let_in(ada: User, running: NotebookSession) -> None:
    LimitFactory.create(resource="sessions", amount=2)
    fit = fits(standing_of(ada.pk), {"one": ONE}, pool_id=None)["one"]
    assert fit.fits
    assert (fit.message, [bar.text for bar in fit.after]) == ("", ["2 of 2"])


def test_what_may_never_be_is_helped_by_no_stop(ada: User, running: NotebookSession) -> None:
    LimitFactory.create(resource="sessions", amount=1)
    LimitFactory.create(resource="gpu:gpu", amount=0)
    fit = fits(standing_of(ada.pk), {"one": ONE | {"gpu:gpu": 1}}, pool_id=None)["one"]
    assert fit.message == (
        "This needs 1 session; you may have 1 session, with 1 session in use. "
        "This needs 1 GPU; you may have 0 GPU."
    )
    assert (fit.to_stop, fit.waits_for) == ((), ())


def test_whose_stop_is_enough_is_named_before_others(ada: User, small) -> None:
    LimitFactory.create(resource="cpu_milli", amount=6000)
    large = ProfileFactory.create(cpu_milli=4000)
    SessionFactory.create(owner=ada, name="small", profile=small, status=S.RUNNING)
    SessionFactory.create(owner=ada, name="large", profile=large, status=S.RUNNING)
    SessionFactory.create(owner=ada, name="ending", profile=small, status=S.STOPPING)
    found = fits(
        standing_of(ada.pk),
        {"one": {"cpu_milli": 1000}, "four": {"cpu_milli": 4000}, "six": {"cpu_milli": 6000}},
        pool_id=None,
    )
    named = {
        name: ([each.name for each in fit.to_stop], fit.one_is_enough)
        for name, fit in found.items()
    }
    assert named == {
        "one": (["large", "small"], True),
        "four": (["large"], True),
        "six": (["large", "small"], False),
    }
    assert [each.name for each in found["one"].waits_for] == ["ending"]


def test_what_is_in_the_way_in_a_pool_is_charged_to_it(ada: User, small) -> None:
    group = Group.objects.create(name="research")
    ada.groups.add(group)
    LimitFactory.create(scope="pool", group=group, resource="sessions", amount=2)
    for name, pool in (("hers", group), ("elsewhere", None)):
        SessionFactory.create(
            owner=ada, name=name, profile=small, status=S.RUNNING, charged_to=pool
        )
    SessionFactory.create(profile=small, status=S.RUNNING, charged_to=group)
    standing = standing_of(ada.pk)
    fit = fits(standing, {"one": ONE}, pool_id=group.pk)["one"]
    [shortage] = fit.shortages
    assert (shortage.scope, shortage.pool, shortage.used) == ("pool", "research", 2)
    assert [each.name for each in fit.to_stop] == ["hers"]
    [shown] = standing.pools()
    assert [(bar.label, bar.text) for bar in shown.bars] == [
        ("sessions", "2 of 2"),
        ("CPU", "2 CPU"),
        ("memory", "4 GiB"),
    ]


def test_the_cost_does_not_grow(ada: User, small, django_assert_num_queries) -> None:
    group = Group.objects.create(name="research")
    ada.groups.add(group)
    LimitFactory.create(scope="pool", group=group, resource="sessions", amount=1)
    LimitFactory.create(scope="site", resource="sessions", amount=1)
    wanted = {str(number): ONE for number in range(8)}
    for _ in range(2):
        SessionFactory.create_batch(4, owner=ada, profile=small, status=S.RUNNING, charged_to=group)
        VolumeFactory.create_batch(4, owner=ada)
        with django_assert_num_queries(2):
            standing = standing_of(ada.pk)
        with django_assert_num_queries(2):
            standing.holdings()
        with django_assert_num_queries(1):
            standing.pools()
        with django_assert_num_queries(3):
            found = fits(standing, wanted, pool_id=group.pk)
        assert not any(fit.fits for fit in found.values())
