"""Names and labels: from ids, and back."""

import inspect
from uuid import UUID

import pytest

from notebooks.backends.contract import RunKey
from notebooks.backends.kubernetes import names
from submarine_site.core.object_names import is_own_name

SESSION, RUN, HOME = (UUID(int=number) for number in (1, 2, 3))
KEY = RunKey(session_id=SESSION, run_id=RUN)


def test_names_come_from_ids() -> None:
    assert names.run_name(KEY) == "nb-00000000-0000-0000-0000-000000000002"
    assert names.claim_name(HOME) == "home-00000000-0000-0000-0000-000000000003"
    assert names.policy_name("blue") == "blue-sessions"


ARGUMENTS: dict[str, object] = {
    "key": KEY,
    "volume_id": HOME,
    "installation": "blue",
    "digest": "0123456789abcdef" * 4,
    "attempt": 2,
    "programs": {"a.py": "pass"},
}


def made_names() -> dict[str, str]:
    """A name of every kind of object: of each function that makes one."""
    made = {}
    for function_name, function in vars(names).items():
        if function_name.endswith("_name"):
            wanted = inspect.signature(function).parameters
            made[function_name] = function(**{name: ARGUMENTS[name] for name in wanted})
    return made


def test_every_name_that_is_made_is_known_as_the_services_own() -> None:
    made = made_names()
    assert len(made) >= 8
    assert [name for name in made.values() if not is_own_name(name)] == []


@pytest.mark.parametrize(
    "name", ["data", "shared-data", "my-home-data", "environments", "the-build-cache", "nb", ""]
)
def test_other_names_are_not_the_services_own(name: str) -> None:
    assert not is_own_name(name)


def test_a_run_is_known_by_its_labels() -> None:
    assert names.run_key(names.run_labels(KEY, "blue")) == KEY


@pytest.mark.parametrize(
    "labels",
    [{}, {names.SESSION: str(SESSION)}, {names.SESSION: str(SESSION), names.RUN: "mine"}],
)
def test_labels_that_are_not_ours_belong_to_no_run(labels: dict[str, str]) -> None:
    assert names.run_key(labels) is None


def test_the_selector_finds_what_is_of_the_installation() -> None:
    key, _, value = names.selector("blue").partition("=")
    for labels in (names.run_labels(KEY, "blue"), names.volume_labels(HOME, "blue")):
        assert labels[key] == value
    assert names.run_labels(KEY, "green")[key] != value
