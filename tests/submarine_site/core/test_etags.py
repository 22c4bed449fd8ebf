"""When a change is let through on condition of what was read."""

import pytest

from submarine_site.core.errors import DomainError
from submarine_site.core.etags import refuse_changed


@pytest.mark.parametrize("expected", ["", "*", " * ", '"a"', '"b", "a"', '"b","a"', 'W/"a", "a"'])
def test_any_of_those_expected_will_do(expected: str) -> None:
    refuse_changed("volume", '"a"', expected)


# Weak ones are equal to none, and what is no ETag is none.
@pytest.mark.parametrize("expected", ['"b"', '"b", "c"', 'W/"a"', "a", '"*"', ",", '"a'])
def test_another_will_not(expected: str) -> None:
    with pytest.raises(DomainError) as refusal:
        refuse_changed("volume", '"a"', expected)
    assert (refusal.value.code, refusal.value.status) == ("changed_meanwhile", 412)
