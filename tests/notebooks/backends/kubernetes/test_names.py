"""Names and labels: from ids, and back."""

from uuid import UUID

import pytest

from notebooks.backends.contract import RunKey
from notebooks.backends.kubernetes import names

SESSION, RUN, HOME = (UUID(int=number) for number in (1, 2, 3))
KEY = RunKey(session_id=SESSION, run_id=RUN)


def test_names_come_from_ids() -> None:
    assert names.run_name(KEY) == "nb-00000000-0000-0000-0000-000000000002"
    assert names.claim_name(HOME) == "home-00000000-0000-0000-0000-000000000003"
    assert names.policy_name("blue") == "blue-sessions"


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
