"""When a change is let through on condition of what was read."""

from contextlib import nullcontext

import pytest

from submarine_site.core.errors import DomainError
from submarine_site.core.etags import refuse_changed


@pytest.mark.parametrize(
    ("expected", "holds"),
    [
        ("", True),
        ("*", True),
        (" * ", True),
        ('"a"', True),
        ('"b", "a"', True),
        ('"b","a"', True),
        ('"b"', False),
        ('"b", "c"', False),
        # Weak ones are equal to none, and what is no ETag is none.
        ('W/"a"', False),
        ('W/"a", "a"', True),
        ("a", False),
        ('"*"', False),
        (",", False),
    ],
)
def test_any_of_those_expected_will_do(expected: str, holds: bool) -> None:
    with nullcontext() if holds else pytest.raises(DomainError) as refusal:
        refuse_changed("volume", '"a"', expected)
    if refusal:
        assert (refusal.value.code, refusal.value.status) == ("changed_meanwhile", 412)
