"""The last line of a log."""

import pytest

from environments.builder.outcome import BuildFailed, Outcome, read_outcome, without_credentials

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


@pytest.mark.parametrize(
    "line",
    [
        '{"outcome": "built", "size_bytes": "3"}',
        '{"outcome": "built", "size_bytes": -1}',
        '{"outcome": "built", "size_bytes": 9223372036854775808}',
        '{"outcome": "built", "size_bytes": true}',
        '{"outcome": "built", "lock": "none"}',
        '{"outcome": "built", "lock": {"pip": [NaN]}}',
        '{"outcome": "built", "lock": {"pip": [1e999]}}',
        '{"outcome": "failed", "message": 3}',
        '{"outcome": "failed", "code": "' + "x" * 41 + '"}',
        '{"outcome": "built", "lock": ' + "[" * 100_000,
    ],
)
def test_what_could_not_be_kept_is_no_outcome(line: str) -> None:
    assert read_outcome(line) == (line, None)


@pytest.mark.parametrize(
    ("written", "kept"),
    [("a\\u0000b", "ab"), ("\\u00\\u000000", None), ("\\ud800", "?"), ("\\\\u0000", "\\u0000")],
)
def test_no_text_of_an_outcome_is_such_that_it_cannot_be_stored(
    written: str, kept: str | None
) -> None:
    _, outcome = read_outcome(f'{{"outcome": "failed", "message": "{written}"}}')
    assert (outcome and outcome.message) == kept


def test_a_password_with_an_at_sign_is_hidden_whole() -> None:
    assert without_credentials("https://ada:p@ss@host/x@y") == "https://[…]@host/x@y"
