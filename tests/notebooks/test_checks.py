"""The system checks of settings."""

import pytest
from django.core.checks import Error, run_checks

from notebooks.checks import local_backend_is_accepted


@pytest.mark.parametrize(
    ("backend", "debug", "accepted", "ids"),
    [
        ("local", False, False, ["notebooks.E001"]),
        ("local", False, True, []),
        ("local", True, False, []),
        ("kubernetes", False, False, []),
    ],
)
def test_the_local_backend_has_to_be_accepted(
    settings, *, backend: str, debug: bool, accepted: bool, ids: list[str]
) -> None:
    settings.BACKEND, settings.DEBUG = backend, debug
    settings.LOCAL_BACKEND_ACCEPTED = accepted
    found = local_backend_is_accepted()
    assert [each.id for each in found] == ids
    assert all(isinstance(each, Error) for each in found)


def test_the_check_is_made_with_all_the_others(settings) -> None:
    settings.BACKEND, settings.LOCAL_BACKEND_ACCEPTED = "local", False
    assert "notebooks.E001" in [each.id for each in run_checks()]
