"""The endpoints of quotas: the same facts as on the pages, for programs."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from quotas.models import QuotaRequest
from tests.conftest import api_of
from tests.factories import LimitFactory, SessionFactory

pytestmark = pytest.mark.django_db

QUOTA = "/api/v2/quota"
REQUESTS = f"{QUOTA}/requests"
GOOD = {"resource": "cpu_milli", "amount": "8", "why": "A paper."}


@pytest.fixture
def group(ada: User) -> Group:
    group = Group.objects.create(name="research")
    ada.groups.add(group)
    return group


def test_it_says_what_is_had_and_why(
    api: APIClient, ada: User, operator: User, group: Group, small
) -> None:
    until = timezone.now() + timedelta(days=3)
    LimitFactory.create(resource="cpu_milli", amount=4000, set_by=operator)
    LimitFactory.create(scope="group", group=group, resource="cpu_milli", amount=None)
    LimitFactory.create(
        scope="user", user=ada, resource="cpu_milli", amount=6000, expires_at=until, reason="Now."
    )
    session = SessionFactory.create(owner=ada, name="mine", profile=small, status=S.RUNNING)
    said = {each["resource"]: each for each in api.get(QUOTA).json()["resources"]}
    assert list(said) == ["sessions", "cpu_milli", "memory_mib", "storage_mib", "volumes"]
    cpu = said["cpu_milli"]
    assert {name: cpu[name] for name in ("label", "used", "limit", "text")} == {
        "label": "CPU",
        "used": 1000,
        "limit": 6000,
        "text": "1 of 6",
    }
    assert cpu["rule"] == cpu["considered"][0]
    assert [(each["scope"], each["limit"]) for each in cpu["considered"]] == [
        ("user", 6000),
        ("group", None),
        ("default", 4000),
    ]
    assert cpu["rule"]["reason"] == "Now."
    assert cpu["rule"]["until"] == until.isoformat().replace("+00:00", "Z")
    assert cpu["considered"][1]["group"] == "research"
    assert cpu["considered"][2]["set_by"] == "olga"
    assert cpu["holders"] == [
        {
            "kind": "session",
            "id": str(session.pk),
            "name": "mine",
            "address": f"/sessions/{session.pk}",
            "amount": 1000,
            "pool": "",
            "can_stop": True,
            "is_ending": False,
        }
    ]
    assert (said["volumes"]["limit"], said["volumes"]["rule"]) == (None, None)


def test_a_pool_says_its_use_and_not_whose(api: APIClient, group: Group, small) -> None:
    LimitFactory.create(scope="pool", group=group, resource="cpu_milli", amount=4000)
    theirs = SessionFactory.create(
        name="secret-plan", profile=small, status=S.RUNNING, charged_to=group
    )
    answer = api.get(QUOTA)
    [pool] = answer.json()["pools"]
    assert pool["name"] == answer.json()["charge_to"] == "research"
    assert [each["text"] for each in pool["resources"]] == ["1 session", "1 of 4", "2 GiB"]
    for name in (theirs.name, theirs.owner.username, str(theirs.pk)):
        assert name not in answer.content.decode()


def test_a_check_says_what_the_start_would(api: APIClient, ada: User, small, plain) -> None:
    LimitFactory.create(resource="sessions", amount=1)
    assert api.post(f"{QUOTA}/check", {"profile": "small"}).json() == {
        "fits": True,
        "shortages": [],
    }
    running = SessionFactory.create(owner=ada, name="mine", profile=small, status=S.RUNNING)
    said = api.post(f"{QUOTA}/check", {"profile": "small"}).json()
    [shortage] = said["shortages"]
    [holder] = shortage.pop("holders")
    assert (said["fits"], holder["id"], holder["can_stop"]) == (False, str(running.pk), True)
    refused = api.post("/api/v2/sessions", {"profile": "small", "environment": "notebook-env"})
    assert refused.status_code == 409
    assert refused.json()["code"] == "over_quota"
    assert refused.json()["details"]["shortages"] == [shortage]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"profile": "none"}, "profile"),
        ({"profile": "a\0b"}, "profile"),
        ({"profile": "small", "charge_to": "physics"}, "charge_to"),
        ({"profile": "small", "more": 1}, "more"),
    ],
)
def test_a_check_of_what_is_not_there_names_it(
    api: APIClient, small, body: dict[str, object], field: str
) -> None:
    response = api.post(f"{QUOTA}/check", body)
    assert (response.status_code, list(response.json()["fields"])) == (400, [field])


def test_a_session_is_charged_to_the_pool_that_is_named(
    api: APIClient, ada: User, group: Group, small, plain
) -> None:
    other = Group.objects.create(name="physics")
    ada.groups.add(other)
    for each in (group, other):
        LimitFactory.create(scope="pool", group=each, resource="sessions", amount=3)
    body = {"profile": "small", "environment": "notebook-env"}
    made = api.post("/api/v2/sessions", {**body, "charge_to": "research"})
    assert (made.status_code, made.json()["charged_to"]) == (201, "research")
    # Without one it is that of the last time.
    assert api.post("/api/v2/sessions", body).json()["charged_to"] == "research"
    session = NotebookSession.objects.get(pk=made.json()["id"])
    NotebookSession.objects.filter(pk=session.pk).update(status=S.STOPPED)
    started = api.post(f"/api/v2/sessions/{session.pk}/start", {"charge_to": "physics"})
    assert (started.status_code, started.json()["charged_to"]) == (202, "physics")
    refused = api.post("/api/v2/sessions", {**body, "charge_to": "none"})
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["charge_to"])


def test_a_profile_says_what_its_gpus_are_counted_as(api: APIClient, small) -> None:
    assert api.get("/api/v2/profiles/small").json()["accelerator"] == "gpu"


def test_more_is_asked_for_and_withdrawn(api: APIClient, mallory: User) -> None:
    LimitFactory.create(resource="cpu_milli", amount=4000)
    made = api.post(REQUESTS, GOOD)
    assert made.status_code == 201
    asked = made.json()
    assert (asked["amount"], asked["text"], asked["state"]) == (8000, "8 CPU", "open")
    assert asked["until"] is None
    again = api.post(REQUESTS, GOOD)
    assert (again.status_code, again.json()["code"]) == (409, "request_open")
    assert api.get(REQUESTS).json() == [asked]
    assert api_of(mallory).get(REQUESTS).json() == []
    assert api_of(mallory).delete(f"{REQUESTS}/{asked['id']}").status_code == 404
    assert api.delete(f"{REQUESTS}/{asked['id']}").status_code == 204
    assert api.get(f"{REQUESTS}/{asked['id']}").json()["state"] == "withdrawn"


@pytest.mark.parametrize(
    "amount", ["-1", "1e400", "0.0005", "10G", "NaN", "", "unlimited", "9" * 30]
)
def test_an_amount_that_is_none_is_refused(api: APIClient, amount: str) -> None:
    LimitFactory.create(resource="cpu_milli", amount=4000)
    LimitFactory.create(resource="memory_mib", amount=4096)
    for resource in ("cpu_milli", "memory_mib"):
        response = api.post(REQUESTS, {**GOOD, "resource": resource, "amount": amount})
        assert (response.status_code, list(response.json()["fields"])) == (400, ["amount"])
    assert not QuotaRequest.objects.exists()
