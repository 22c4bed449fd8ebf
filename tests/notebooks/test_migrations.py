"""What there was before volumes keeps the files that it had."""

import re

import pytest
from django.utils import timezone

from tests.history import history
from tests.sessions import sites_homes

BEFORE = [
    ("environments", "0003_first_versions"),
    ("notebooks", "0009_phases_on_runs"),
    ("quotas", "0002_placement"),
]
AFTER = [("notebooks", "0011_homes_of_sessions")]


def migrated(names: list[str], status: str = "stopped") -> list[tuple[object, ...]]:
    """Ada's volumes after sessions of these names were there before; the last one was deleted."""
    with history() as at:
        old = at(BEFORE)
        owner = old.get_model("accounts", "User").objects.create(username="ada")
        profile = old.get_model("quotas", "ResourceProfile").objects.create(
            name="small", display_name="Small", cpu_milli=1, memory_mib=1
        )
        environment = old.get_model("environments", "Environment").objects.create(
            name="science", display_name="Science"
        )
        version = old.get_model("environments", "EnvironmentVersion").objects.create(
            environment=environment, number=1, image="example/notebook:1"
        )
        sessions = [
            old.get_model("notebooks", "NotebookSession").objects.create(
                owner=owner,
                name=name,
                profile=profile,
                environment_version=version,
                status=status if name == names[-1] else "stopped",
                deleted_at=timezone.now() if name == names[-1] else None,
            )
            for name in names
        ]
        new = at(AFTER)
        homes = dict(
            new.get_model("notebooks", "NotebookSession").objects.values_list("pk", "home")
        )
        volumes = new.get_model("volumes", "Volume").objects.order_by("created_at")
        assert [pk for pk in (each.pk for each in sessions) if homes[pk]] == [
            volume.pk for volume in volumes
        ]
        assert all(home in {None, pk} for pk, home in homes.items())
        return list(volumes.values_list("name", "kind", "state", "size_mib", "access_mode"))


@pytest.mark.django_db(transaction=True)
def test_the_home_of_each_session_becomes_a_volume(settings) -> None:
    sites_homes(settings, home_size="2Gi", access_mode="ReadWriteMany")
    assert migrated(["thesis", "home", "gone"]) == [
        ("home of thesis", "data", "requested", 2048, "many_machines"),
        ("home of home", "data", "requested", 2048, "many_machines"),
    ]


@pytest.mark.django_db(transaction=True)
def test_names_that_become_the_same_are_told_apart() -> None:
    [first, second] = migrated(["x" * 79 + "1", "x" * 79 + "2", "gone"])
    assert first[0] == "home of " + "x" * 72
    assert re.fullmatch("home of x{63} [0-9a-f]{8}", str(second[0]))


@pytest.mark.django_db(transaction=True)
def test_the_home_of_what_is_being_deleted_is_in_the_trash() -> None:
    assert [volume[:3] for volume in migrated(["thesis", "gone"], status="stopping")] == [
        ("home of thesis", "data", "requested"),
        ("home of gone", "data", "trashed"),
    ]


@pytest.mark.django_db(transaction=True)
def test_where_homes_went_with_their_runs_there_is_none(settings) -> None:
    sites_homes(settings, home_size="0")
    assert migrated(["thesis", "gone"]) == []
