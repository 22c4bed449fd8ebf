"""The last line of a log."""

import pytest

from environments.builder.outcome import BuildFailed, Outcome, read_outcome

BUILT = Outcome(outcome="built", size_bytes=3, lock={"conda": [], "pip": []})


@pytest.mark.parametrize(
    "outcome", [BUILT, Outcome.of_failure(BuildFailed("build_failed", "No.", "six"))]
)
def test_an_outcome_ends_a_log(outcome: Outcome) -> None:
    assert read_outcome(f"One.\nTwo.\n{outcome.as_line()}\n") == ("One.\nTwo.\n", outcome)


@pytest.mark.parametrize("log", ["", "One.\n", "{", '{"size_bytes": 3}', '{"other": 1}', "[]", "3"])
def test_a_log_that_was_cut_short_has_none(log: str) -> None:
    assert read_outcome(log) == (log, None)


def test_an_outcome_holds_nothing_that_cannot_be_stored() -> None:
    _, outcome = read_outcome('{"outcome": "built", "lock": {"pip": [{"name": "a\\u0000b"}]}}')
    assert outcome is not None
    assert outcome.lock == {"pip": [{"name": "ab"}]}


def test_a_message_holds_no_password() -> None:
    failure = BuildFailed("index_unavailable", "https://reader:hunter2@pypi.example/ is away.")
    assert Outcome.of_failure(failure).message == "https://[…]@pypi.example/ is away."
