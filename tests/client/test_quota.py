"""What the command and the package do about quotas."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from submarine_client.models import SessionInfo
from tests.client.bad_server import BadServer, refused, said, session
from tests.client.conftest import Do, Subnb

ID = session()["id"]
NOW = "2026-01-02T03:04:05Z"


def rule(scope: str = "default", **more: Any) -> dict[str, Any]:
    given = {"group": None, "limit": 8000, "set_by": None, "reason": "", "until": None}
    return {"scope": scope, "set_at": NOW, **given, **more}


def had(resource: str, label: str, used: int, limit: int | None, **more: Any) -> dict[str, Any]:
    numbers = {"resource": resource, "label": label, "used": used, "limit": limit, "text": ""}
    return {**numbers, "rule": None, "considered": [], "holders": [], **more}


def holder(name: str, **more: Any) -> dict[str, Any]:
    of_session = {"kind": "session", "id": ID, "name": name, "address": "", "amount": 4000}
    return {**of_session, "pool": "", "can_stop": True, "is_ending": False, **more}


QUOTA = {
    "resources": [
        had("sessions", "sessions", 1, 2, rule=rule("group", group="research", reason="Trial.")),
        had("cpu_milli", "CPU", 1500, 8000, rule=rule()),
        had("memory_mib", "memory", 512, 65536, rule=rule("user")),
        had("gpu:a100", "GPU a100", 0, None),
    ],
    "pools": [],
    "charge_to": "",
}
POOLS = [{"name": "research", "resources": [had("cpu_milli", "CPU", 12000, 16000)]}]
REQUEST = {
    "id": ID,
    "resource": "cpu_milli",
    "amount": 16000,
    "text": "16 CPU",
    "until": None,
    "why": "A paper.",
    "state": "refused",
    "created_at": NOW,
    "decided_at": NOW,
    "word": "Not now.",
}
SHORTAGE = {
    "scope": "user",
    "resource": "cpu_milli",
    "limit": 8000,
    "used": 8000,
    "asked": 4000,
    "pool": "",
    "message": "This needs 4 CPU; you may have 8 CPU, with 8 CPU in use.",
    "holders": [
        holder("thesis"),
        holder("old", id="2" * 8 + ID[8:], can_stop=False, is_ending=True),
    ],
}
FULL = {
    "fits": False,
    "shortages": [SHORTAGE, {**SHORTAGE, "resource": "memory_mib", "message": "And memory."}],
}


def test_what_is_had_of_what_may_be_and_why(server: BadServer, subnb: Subnb) -> None:
    server.plays(said(QUOTA))

    assert subnb("quota").stdout.splitlines() == [
        "RESOURCE  USED     LIMIT      WHY",
        "sessions  1        2          each member of research: Trial.",
        "CPU       1.5      8          each user",
        "memory    512 MiB  64 GiB     your own",
        "GPU a100  0        unlimited  no rule limits it",
    ]
    assert subnb("quota", "-o", "name").stdout.split() == [
        "sessions",
        "cpu_milli",
        "memory_mib",
        "gpu:a100",
    ]
    assert json.loads(subnb("quota", "-o", "json").stdout) == QUOTA
    assert yaml.safe_load(subnb("quota", "-o", "yaml").stdout) == QUOTA


def test_a_limit_that_ends_says_when(server: BadServer, subnb: Subnb) -> None:
    until = datetime.now(UTC) + timedelta(days=3, hours=1)  # noqa: TID251 - outside Django
    own = rule("user", until=until.isoformat(), reason="A paper.")
    server.plays(said({**QUOTA, "resources": [had("cpu_milli", "CPU", 0, 8000, rule=own)]}))

    assert subnb("quota").stdout.splitlines()[1].endswith("your own, ends in 3 d: A paper.")


def test_pools_have_a_table_of_their_own(server: BadServer, subnb: Subnb) -> None:
    server.plays(said({**QUOTA, "pools": POOLS, "charge_to": "research"}))

    done = subnb("quota")

    assert [line.split() for line in done.stdout.splitlines()[5:]] == [
        [],
        ["POOL", "RESOURCE", "USED", "LIMIT"],
        ["research", "CPU", "12", "16"],
    ]
    assert done.stderr == "Charged is “research”, unless --charge-to says another.\n"


def test_nothing_had_and_nothing_limited(server: BadServer, subnb: Subnb) -> None:
    server.plays(said({**QUOTA, "resources": []}))

    done = subnb("quota")

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "You have nothing, and no limit on what you may have.\n"


def test_a_size_that_does_not_fit(server: BadServer, subnb: Subnb) -> None:
    server.plays(said(FULL))

    done = subnb("quota", "check", "large", "--charge-to", "research")

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "Fits     no",
        "Why not  This needs 4 CPU; you may have 8 CPU, with 8 CPU in use. And memory.",
        "To stop  thesis",
        "Ending   old",
    ]
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/api/v2/quota/check/")
    assert json.loads(asked.body) == {"profile": "large", "charge_to": "research"}


def test_a_size_that_fits(server: BadServer, subnb: Subnb) -> None:
    server.plays(said({"fits": True, "shortages": []}))

    done = subnb("quota", "check", "small")

    assert (done.returncode, done.stdout) == (0, "Fits     yes\n")
    assert json.loads(server.asked[0].body) == {"profile": "small"}


@pytest.mark.parametrize(
    ("word", "resource"), [("cpu", "cpu_milli"), ("gpu:a100", "gpu:a100"), ("tape", "tape")]
)
def test_more_is_asked_by_the_name_of_the_table_or_of_the_service(
    server: BadServer, subnb: Subnb, word: str, resource: str
) -> None:
    server.plays(said(QUOTA), said(REQUEST, 201))

    done = subnb("quota", "ask", word, "16", "--why", "A paper.")

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "Asked for 16 CPU. `subnb quota requests` has the answer.\n"
    assert json.loads(server.asked[-1].body) == {
        "resource": resource,
        "amount": "16",
        "why": "A paper.",
    }


def test_until_when_is_said_with_its_zone(server: BadServer, subnb: Subnb) -> None:
    server.plays(said(QUOTA), said(REQUEST, 201))

    subnb("quota", "ask", "CPU", "16", "--why", "A paper.", "--until", "2026-03-01")

    until = json.loads(server.asked[-1].body)["until"]
    assert re.fullmatch(r"2026-03-01T00:00:00[+-]\d\d:\d\d", until)


def test_more_is_asked_for_once(server: BadServer, subnb: Subnb) -> None:
    server.plays(said(QUOTA), refused(503, "unavailable"))

    done = subnb("quota", "ask", "CPU", "16", "--why", "A paper.")

    assert done.returncode == 5
    assert "Try again in a moment." in done.stderr
    first, *asked = server.asked
    assert (first.method, {each.method for each in asked}, len(asked)) == ("GET", {"POST"}, 5)
    assert len({each.headers["Idempotency-Key"] for each in asked}) == 1


def test_requests_are_listed_and_withdrawn(server: BadServer, subnb: Subnb) -> None:
    server.plays(said([REQUEST]))

    [titles, line] = subnb("quota", "requests").stdout.splitlines()
    assert titles.split() == [
        "RESOURCE",
        "AMOUNT",
        "UNTIL",
        "STATE",
        "ANSWER",
        "CREATED",
        "ID",
    ]
    assert line.startswith("cpu_milli  16 CPU         refused  Not now.")
    assert subnb("quota", "requests", "-o", "name").stdout == f"{ID}\n"

    server.plays(said(None, 204))
    assert subnb("quota", "withdraw", ID).returncode == 0
    asked = server.asked[-1]
    assert (asked.method, asked.path) == ("DELETE", f"/api/v2/quota/requests/{ID}/")


def test_a_check_is_asked_again_by_either_client(server: BadServer, do: Do) -> None:
    server.plays(refused(503, "unavailable"), said(FULL))

    checked = do(lambda client: client.quota.check("large"))

    assert not checked.fits
    assert [each.name for each in checked.shortages[0].holders] == ["thesis", "old"]
    assert len(server.asked) == 2


def test_who_is_charged_for_a_launch(server: BadServer, subnb: Subnb) -> None:
    server.plays(said(session("requested", charged_to="research"), 201))
    chosen = ("--profile", "small", "--env", "notebook-env")

    done = subnb("launch", *chosen, "--charge-to", "research", "--no-wait")

    assert json.loads(server.asked[0].body)["charge_to"] == "research"
    assert "Charged to     research\n" in done.stdout
    file = "profile: small\nenvironment: notebook-env\ncharge_to: research\n"
    subnb("launch", "-f", "-", "--no-wait", typed=file)
    assert json.loads(server.asked[1].body)["charge_to"] == "research"


@pytest.mark.parametrize(
    ("flags", "body"),
    [
        ((), {"rescue": False}),
        (("--charge-to", "research"), {"rescue": False, "charge_to": "research"}),
    ],
)
def test_who_is_charged_for_a_start(
    server: BadServer, subnb: Subnb, flags: tuple[str, ...], body: dict[str, Any]
) -> None:
    server.plays(said(session("stopped")), said(session("requested"), 202))

    assert subnb("start", ID, "--no-wait", *flags).returncode == 0
    assert json.loads(server.asked[-1].body) == body


def test_an_older_service_charges_nobody() -> None:
    info = {key: value for key, value in session().items() if key != "charged_to"}

    assert SessionInfo.of(info).charged_to is None
