"""Every change is refused to who saw what it was before."""

from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.vault import keep_secret
from notebooks.states import SessionStatus as S
from tests.factories import EnvironmentFactory, SessionFactory, VolumeFactory
from tests.schema import OPERATIONS

STALE = '"stale"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    path: str
    body: dict[str, Any]
    what: str


CHANGES = {
    "environments_partial_update": Change(
        path="/environments/hers/", body={"description": "New."}, what="environment"
    ),
    "secrets_update": Change(path="/secrets/{secret}/", body={"value": "new"}, what="secret"),
    "sessions_partial_update": Change(
        path="/sessions/{session}/", body={"name": "new"}, what="session"
    ),
    "volumes_partial_update": Change(
        path="/volumes/{volume}/", body={"name": "new"}, what="volume"
    ),
}
# They make something new of what was read.
ALSO = {"environments_versions_create"}


@pytest.fixture
def ids(ada: User) -> dict[str, object]:
    EnvironmentFactory.create(name="hers", owner=ada)
    return {
        "secret": keep_secret(owner=ada, name="KEY", kind="variable", value="x").pk,
        "session": SessionFactory.create(owner=ada, status=S.STOPPED).pk,
        "volume": VolumeFactory.create(owner=ada).pk,
    }


def test_every_change_takes_a_condition_and_is_in_the_table() -> None:
    changes = {name for name, each in OPERATIONS.items() if each.method in {"put", "patch"}}
    assert changes == CHANGES.keys(), "put it into the table"
    assert {name for name, each in OPERATIONS.items() if each.takes("If-Match")} == changes | ALSO


@pytest.mark.parametrize("name", CHANGES)
def test_only_what_was_read_is_changed(name: str, api: APIClient, ids: dict[str, object]) -> None:
    change = CHANGES[name]
    url = f"/api/v2{change.path.format(**ids)}"
    seen = api.get(url)["ETag"]

    def ask(condition: str, body: dict[str, Any] = change.body) -> Any:
        return getattr(api, OPERATIONS[name].method)(url, body, headers={"If-Match": condition})

    for condition in (STALE, f"W/{seen}", seen.strip('"')):
        refused = ask(condition)
        assert (refused.status_code, refused.json()) == (
            412,
            {
                "code": "changed_meanwhile",
                "message": f"This {change.what} has been changed meanwhile. Look at it as it is "
                "now, then change it.",
            },
        )
    assert api.get(url)["ETag"] == seen

    changed = ask(f"{STALE}, {seen}")
    assert changed.status_code == 200
    assert changed["ETag"] == api.get(url)["ETag"] != seen
    assert ask(seen).status_code == 412
    assert ask("*").status_code == 200


@pytest.mark.parametrize("name", [name for name in CHANGES if OPERATIONS[name].method == "patch"])
def test_a_change_of_nothing_is_refused_too(
    name: str, api: APIClient, ids: dict[str, object]
) -> None:
    url = f"/api/v2{CHANGES[name].path.format(**ids)}"
    assert api.patch(url, {}, headers={"If-Match": STALE}).status_code == 412


@pytest.mark.parametrize("name", CHANGES)
def test_there_is_no_such_thing_under_any_condition(
    name: str, api: APIClient, mallory: User, ids: dict[str, object]
) -> None:
    api.force_authenticate(mallory)
    url = f"/api/v2{CHANGES[name].path.format(**ids)}"
    ask = getattr(api, OPERATIONS[name].method)
    for condition in ("*", STALE):
        assert ask(url, CHANGES[name].body, headers={"If-Match": condition}).status_code == 404
