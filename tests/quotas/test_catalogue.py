"""Sizes: who may choose them, and what they may be."""

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from accounts.models import User
from quotas.models import ResourceProfile
from submarine_site.core.resources import Resources
from tests.factories import ProfileFactory

pytestmark = pytest.mark.django_db


def offered_to(user: User) -> list[str]:
    return [profile.name for profile in ResourceProfile.objects.visible_to(user)]


def test_a_size_for_no_group_is_for_everyone(ada: User) -> None:
    ProfileFactory.create(name="open")
    assert offered_to(ada) == ["open"]


def test_a_size_for_groups_is_for_their_members_alone(ada: User, mallory: User) -> None:
    physics, chemistry = (Group.objects.create(name=name) for name in ("physics", "chemistry"))
    ProfileFactory.create(name="big").groups.add(physics, chemistry)
    ada.groups.add(physics, chemistry)
    assert (offered_to(ada), offered_to(mallory)) == (["big"], [])


def test_a_size_that_is_switched_off_is_offered_to_nobody(operator: User) -> None:
    ProfileFactory.create(enabled=False)
    assert offered_to(operator) == []


def test_sizes_stand_in_the_order_of_the_operators(ada: User) -> None:
    for name, position in [("c", 1), ("a", 2), ("b", 1)]:
        ProfileFactory.create(name=name, position=position)
    assert offered_to(ada) == ["b", "c", "a"]


@pytest.mark.parametrize("name", ["", "Big", "a b", "-a", "a-", "a_b", "é", "x" * 64, "a\n", "a/b"])
def test_a_name_is_fit_for_programs(name: str) -> None:
    with pytest.raises(ValidationError) as error:
        ProfileFactory.build(name=name, display_name="x").full_clean()
    assert list(error.value.message_dict) == ["name"]


@pytest.mark.parametrize("name", ["a", "a-1", "0", "x" * 63])
def test_a_name_may_have_letters_digits_and_hyphens(name: str) -> None:
    ProfileFactory.build(name=name, display_name="x").full_clean()


@pytest.mark.parametrize("none", [{"cpu_milli": 0}, {"memory_mib": 0}])
def test_a_size_has_some_cpu_and_memory(none: dict[str, int]) -> None:
    with pytest.raises(IntegrityError, match="profile_has_cpu_and_memory"):
        ProfileFactory.create(**none)


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        (Resources(cpu_milli=500, memory_mib=512), "0.5 CPU · 512 MiB"),
        (Resources(cpu_milli=4000, memory_mib=16384, gpus=1), "4 CPU · 16 GiB · 1 GPU"),
        (Resources(cpu_milli=1250, memory_mib=1536), "1.25 CPU · 1536 MiB"),
    ],
)
def test_an_amount_reads_as_people_write_it(resources: Resources, words: str) -> None:
    assert str(resources) == words
