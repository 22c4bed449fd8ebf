"""What a profile says of its pods: kept only if the cluster could take it."""

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from quotas.models import ResourceProfile
from submarine_site.core.placement import Placement
from tests.factories import ProfileFactory

pytestmark = pytest.mark.django_db


def test_a_profile_that_says_nothing_has_the_default_placement() -> None:
    assert ProfileFactory.create().placement == Placement()


def test_a_profile_places_what_it_says() -> None:
    said: dict[str, Any] = {
        "shared_memory_mib": 512,
        "cpu_overcommit": Decimal("1.50"),
        "memory_overcommit": Decimal("1.25"),
        "gpu_resource": "amd.com/gpu",
        "node_selector": {"pool": "notebooks"},
        "preferred_nodes": {"disk": "fast"},
        "priority_class": "people",
        "service_account": "reader",
        "pod_patch": {"labels": {"team": "reef"}},
    }
    bears = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    profile = ProfileFactory.build(**said, tolerations=[bears])
    profile.full_clean()
    profile.save()
    profile.refresh_from_db()
    assert profile.placement == Placement(**said, tolerations=(bears,))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("cpu_overcommit", Decimal("0.99"), "Ensure this value is greater than or equal to 1."),
        ("memory_overcommit", 0, "Ensure this value is greater than or equal to 1."),
        ("shared_memory_mib", 0, "Ensure this value is greater than or equal to 1."),
        (
            "gpu_resource",
            "gpu",
            "This is not the name of a resource, such as nvidia.com/gpu.",
        ),
        (
            "node_selector",
            {"a b": "x"},
            "a b: This is not a label's name, such as team or example.com/team.",
        ),
        ("preferred_nodes", ["x"], "This is not an object."),
        ("tolerations", [{"key": "gpu", "seconds": 1}], None),
        ("tolerations", {"key": "gpu"}, "This is not a list."),
        (
            "priority_class",
            "High",
            (
                "This is not a name of small letters, digits, hyphens and dots, with a letter or "
                "digit at both ends."
            ),
        ),
        (
            "pod_patch",
            {"sidecars": [{"name": "a", "image": "x", "securityContext": {}}]},
            (
                "sidecars[0].securityContext: There is no such field; there are args, command, "
                "env, image, name, resources, volumeMounts, workingDir."
            ),
        ),
    ],
)
def test_what_a_cluster_could_not_take_is_refused(
    field: str, value: Any, message: str | None
) -> None:
    with pytest.raises(ValidationError) as error:
        ProfileFactory.build(**{field: value}).full_clean()
    assert list(error.value.message_dict) == [field]
    assert message is None or error.value.message_dict[field] == [message]


def test_shared_memory_is_part_of_the_memory() -> None:
    with pytest.raises(ValidationError) as error:
        ProfileFactory.build(memory_mib=512, shared_memory_mib=1024).full_clean()
    assert error.value.messages == [
        "The shared memory is 1024 MiB, more than the memory of 512 MiB, which it counts in."
    ]


@pytest.mark.parametrize("field", ["cpu_overcommit", "memory_overcommit"])
def test_nothing_reserves_more_than_its_limit(field: str) -> None:
    with pytest.raises(IntegrityError, match="profile_overcommit_is_1_or_more"):
        ProfileFactory.create(**{field: Decimal("0.5")})


def form(profile: ResourceProfile, **changed: str) -> dict[str, str]:
    return {
        "name": profile.name,
        "display_name": profile.display_name,
        "position": "0",
        "enabled": "on",
        "cpu_milli": "1000",
        "memory_mib": "2048",
        "gpus": "0",
        "accelerator": "gpu",
        "shared_memory_mib": "64",
        "cpu_overcommit": "1",
        "memory_overcommit": "1",
        "gpu_resource": "nvidia.com/gpu",
        "node_selector": "{}",
        "preferred_nodes": "{}",
        "tolerations": "[]",
        "pod_patch": "{}",
        **changed,
    }


def edit(client: Client, profile: ResourceProfile, **changed: str) -> str:
    url = reverse("admin:quotas_resourceprofile_change", args=[profile.pk])
    answer = client.post(url, form(profile, **changed), follow=True)
    assert answer.status_code == 200
    profile.refresh_from_db()
    return answer.content.decode()


def test_an_operator_says_it_in_the_admin(admin_client: Client) -> None:
    profile = ProfileFactory.create()
    edit(admin_client, profile, node_selector='{"pool": "notebooks"}', cpu_overcommit="4")
    assert profile.placement == Placement(
        node_selector={"pool": "notebooks"}, cpu_overcommit=Decimal(4)
    )


def test_an_emptied_field_of_the_admin_says_nothing(admin_client: Client) -> None:
    profile = ProfileFactory.create(
        node_selector={"a": "b"}, tolerations=[{"operator": "Exists"}], pod_patch={"labels": {}}
    )
    edit(admin_client, profile, node_selector="", preferred_nodes="", tolerations="", pod_patch="")
    assert profile.placement == Placement()


def test_the_admin_says_what_it_refuses(admin_client: Client) -> None:
    profile = ProfileFactory.create()
    page = edit(admin_client, profile, pod_patch='{"hostNetwork": true}')
    assert "hostNetwork: There is no such field; there are annotations, env, labels" in page
    assert profile.pod_patch == {}


def test_what_was_kept_before_a_rule_does_not_break_the_list(admin_client: Client) -> None:
    profile = ProfileFactory.create(shared_memory_mib=4096, pod_patch={"hostNetwork": True})
    url = reverse("admin:quotas_resourceprofile_changelist")
    rows = {
        "form-TOTAL_FORMS": "1",
        "form-INITIAL_FORMS": "1",
        "form-0-id": str(profile.pk),
        "form-0-position": "5",
        "_save": "Save",
    }
    answer = admin_client.post(url, rows)
    assert answer.status_code == 200
    assert "The shared memory is 4096 MiB, more than the memory" in answer.content.decode()
