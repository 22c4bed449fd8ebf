"""The API of volumes and their classes."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from rest_framework.test import APIClient

from accounts.models import User
from submarine_site.core.etags import version_of
from tests.conftest import api_of
from tests.factories import VolumeClassFactory, VolumeFactory
from tests.volumes.conftest import FakeHost
from volumes import lifecycle, services
from volumes.models import Volume, VolumeClass

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("told", "broker")]

ALL = "/api/v2/volumes"
CLASSES = "/api/v2/volume-classes"
GIB = 1024
NEW = {"name": "data", "volume_class": "standard", "size_mib": 10 * GIB}


@pytest.fixture
def hers(ada: User, standard: VolumeClass) -> Volume:
    """Ada's data, of 10 GiB, ready."""
    return VolumeFactory.create(owner=ada, name="data", volume_class=standard, size_mib=10 * GIB)


def address(volume: Volume, verb: str = "") -> str:
    return f"{ALL}/{volume.pk}{verb}"


def time(value: object) -> str:
    return str(value).replace(" ", "T").replace("+00:00", "Z")


def test_a_volume_is_spelled_out(api: APIClient, hers: Volume, told: FakeHost) -> None:
    told.attach(hers, "thesis")
    [attachment] = told.attached[hers.pk]
    answer = api.get(address(hers))
    assert version_of(answer["ETag"]) == version_of(hers.etag)
    assert answer.json() == {
        "id": str(hers.pk),
        "name": "data",
        "kind": "data",
        "volume_class": "standard",
        "access_mode": "one_machine",
        "is_adopted": False,
        "size_mib": 10 * GIB,
        "wanted_mib": None,
        "largest_mib": 100 * GIB,
        "capacity_mib": None,
        "used_mib": None,
        "seen_at": None,
        "state": "ready",
        "reason_code": "",
        "reason": "",
        "attachments": [
            {
                "session_id": str(attachment.session_id),
                "session": "thesis",
                "status": "running",
                "path": "data",
                "read_only": False,
                "is_active": True,
            }
        ],
        "created_at": time(hers.created_at),
        "updated_at": time(hers.updated_at),
        "trashed_at": None,
        "removed_after": None,
    }


def test_a_volume_is_created(api: APIClient, standard: VolumeClass) -> None:
    answer = api.post(ALL, NEW)
    assert answer.status_code == 201
    made = Volume.objects.get()
    assert (answer.json()["id"], answer.json()["state"]) == (str(made.pk), "requested")
    assert answer["ETag"] == made.etag


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"size_mib": 0}, "size_mib"),
        ({"size_mib": -1}, "size_mib"),
        ({"size_mib": 100 * GIB + 1}, "size_mib"),
        ({"size_mib": 2**31}, "size_mib"),
        ({"size_mib": 10**100}, "size_mib"),
        ({"size_mib": 1.5}, "size_mib"),
        ({"size_mib": "ten"}, "size_mib"),
        ({"size_mib": "9" * 5000}, "size_mib"),
        ({"size_mib": None}, "size_mib"),
        ({"size_mib": True}, "size_mib"),
        ({"size_mib": [1]}, "size_mib"),
        ({"name": "x" * 300}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a\u200bb"}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": {}}, "name"),
        ({"volume_class": "none"}, "volume_class"),
        ({"volume_class": "a\0b"}, "volume_class"),
        ({"owner": "mallory"}, "owner"),
        ({"claim": "archive"}, "claim"),
    ],
)
def test_what_is_wrong_is_named(
    api: APIClient, standard: VolumeClass, change: dict[str, Any], field: str
) -> None:
    answer = api.post(ALL, {**NEW, **change})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert list(answer.json()["fields"]) == [field]
    assert not Volume.objects.exists()


def test_a_name_that_is_taken_is_refused(api: APIClient, hers: Volume) -> None:
    answer = api.post(ALL, NEW)
    assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["home", "data", "old"]),
        ("?state=live", ["home", "data"]),
        ("?state=trash", ["old"]),
        ("?kind=home", ["home"]),
        ("?kind=data&state=live", ["data"]),
    ],
)
@pytest.mark.usefixtures("hers")
def test_they_are_listed_the_home_first(
    api: APIClient, ada: User, mallory: User, query: str, found: list[str]
) -> None:
    services.homes_of([ada, mallory])
    services.trash_volume(volume=VolumeFactory.create(owner=ada, name="old"))
    services.remove_volume(
        volume=services.trash_volume(volume=VolumeFactory.create(owner=ada, name="gone"))
    )
    VolumeFactory.create(owner=mallory, name="his")
    assert [each["name"] for each in api.get(f"{ALL}{query}").json()] == found


@pytest.mark.parametrize("query", ["state=gone", "kind=x", "state=live%00"])
def test_what_cannot_be_listed_is_refused(api: APIClient, query: str) -> None:
    assert api.get(f"{ALL}?{query}").status_code == 400


def test_the_cost_of_the_list_does_not_grow(
    api: APIClient, ada: User, standard: VolumeClass, told: FakeHost, django_assert_num_queries
) -> None:
    services.homes_of([ada])
    with django_assert_num_queries(1):
        api.get(ALL)
    for volume in VolumeFactory.create_batch(100, owner=ada, volume_class=standard):
        told.attach(volume)
    with django_assert_num_queries(1):
        assert len(api.get(ALL).json()) == 101


def test_it_is_renamed_and_grows(api: APIClient, hers: Volume) -> None:
    answer = api.patch(
        address(hers), {"name": "results", "size_mib": 20 * GIB}, headers={"If-Match": hers.etag}
    )
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["wanted_mib"]) == ("results", 20 * GIB)
    hers.refresh_from_db()
    assert version_of(answer["ETag"]) == version_of(hers.etag)


@pytest.mark.parametrize("size", [5 * GIB, 200 * GIB, -1, 0])
def test_it_is_renamed_and_grows_or_neither(api: APIClient, hers: Volume, size: int) -> None:
    answer = api.patch(address(hers), {"name": "results", "size_mib": size})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["size_mib"])
    hers.refresh_from_db()
    assert (hers.name, hers.wanted_mib) == ("data", None)


@pytest.mark.parametrize("change", [{}, {"name": "results"}, {"size_mib": 20 * GIB}])
def test_who_changes_what_has_changed_is_told(
    api: APIClient, hers: Volume, change: dict[str, Any]
) -> None:
    answer = api.patch(address(hers), change, headers={"If-Match": '"1.000000"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "changed_meanwhile")
    hers.refresh_from_db()
    assert (hers.name, hers.wanted_mib) == ("data", None)


def test_nothing_else_of_it_can_be_changed(api: APIClient, hers: Volume) -> None:
    answer = api.patch(address(hers), {"state": "failed", "owner": "mallory"})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["owner", "state"])


def test_it_is_deleted_brought_back_and_removed(api: APIClient, hers: Volume) -> None:
    assert api.delete(address(hers)).status_code == 204
    assert api.delete(address(hers)).status_code == 204
    deleted = api.get(address(hers)).json()
    hers.refresh_from_db()
    assert (deleted["state"], deleted["largest_mib"]) == ("trashed", None)
    assert deleted["removed_after"] == time(hers.removed_after)
    back = api.post(address(hers, "/restore"), {"name": "again"})
    assert (back.status_code, back.json()["name"], back.json()["state"]) == (
        200,
        "again",
        "requested",
    )
    assert api.post(address(hers, "/remove")).json()["code"] == "not_in_trash"
    api.delete(address(hers))
    assert api.post(address(hers, "/remove")).status_code == 202
    assert api.get(address(hers)).status_code == 404
    lifecycle.settle()
    assert not Volume.objects.exists()


def test_what_an_active_session_has_is_not_deleted(
    api: APIClient, hers: Volume, told: FakeHost
) -> None:
    told.attach(hers, "thesis")
    answer = api.delete(address(hers))
    assert (answer.status_code, answer.json()["code"]) == (409, "volume_in_use")
    assert "“thesis”" in answer.json()["message"]


def test_a_failed_one_is_tried_again(api: APIClient, hers: Volume) -> None:
    Volume.objects.update(state="failed", reason_code="volume_refused", reason="No.")
    assert api.get(address(hers)).json()["reason"] == "No."
    answer = api.post(address(hers, "/retry"))
    assert (answer.status_code, answer.json()["state"]) == (202, "requested")


def test_a_stranger_s_volume_does_not_exist(hers: Volume, mallory: User) -> None:
    stranger = api_of(mallory)
    assert stranger.get(ALL).json() == []
    for answer in (
        stranger.get(address(hers)),
        stranger.patch(address(hers), {"name": "mine"}),
        stranger.delete(address(hers)),
        stranger.post(address(hers, "/restore")),
        stranger.post(address(hers, "/remove")),
        stranger.get(f"{ALL}/{uuid4()}"),
        stranger.get(f"{ALL}/1"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


# Adopting.

ADOPTED = {"owner": "ada", "name": "archive", "claim": "archive-2020"}


def test_an_operator_adopts_what_is_there(operator: User, ada: User) -> None:
    answer = api_of(operator).post(f"{ALL}/adopt", ADOPTED)
    assert (answer.status_code, answer.json()["is_adopted"]) == (201, True)
    assert "archive-2020" not in answer.text
    assert Volume.objects.get().owner == ada


@pytest.mark.parametrize("claim", ["no", "f", "0"])
def test_what_is_adopted_is_said_to_be_whatever_it_is_called(
    operator: User, ada: User, claim: str
) -> None:
    answer = api_of(operator).post(f"{ALL}/adopt", {**ADOPTED, "claim": claim})
    assert answer.json()["is_adopted"] is True


def test_who_is_no_operator_learns_nothing_of_users(api: APIClient) -> None:
    for owner in ("ada", "nobody"):
        answer = api.post(f"{ALL}/adopt", {**ADOPTED, "owner": owner})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"owner": "nobody"}, "owner"),
        ({"owner": "a\0"}, "owner"),
        ({"claim": "../etc"}, "claim"),
        ({"claim": ""}, "claim"),
        ({"name": "x" * 300}, "name"),
        ({"as_home": "perhaps"}, "as_home"),
        ({"size_mib": 1}, "size_mib"),
    ],
)
def test_what_is_wrong_with_what_is_adopted_is_named(
    operator: User, ada: User, change: dict[str, Any], field: str
) -> None:
    answer = api_of(operator).post(f"{ALL}/adopt", {**ADOPTED, **change})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])


# Classes.


def test_the_classes_that_may_be_chosen_are_listed(api: APIClient, standard: VolumeClass) -> None:
    VolumeClassFactory.create(name="off", enabled=False)
    VolumeClassFactory.create(name="theirs").groups.add(Group.objects.create(name="physics"))
    said = {
        "name": "standard",
        "display_name": "Standard",
        "description": "",
        "access_mode": "one_machine",
        "growable": True,
        "usual_mib": 10 * GIB,
        "largest_mib": 100 * GIB,
    }
    assert api.get(CLASSES).json() == [said]
    assert api.get(f"{CLASSES}/standard").json() == said
    assert api.get(f"{CLASSES}/theirs").status_code == 404
