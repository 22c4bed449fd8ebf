"""Names: whatever can be shown, in one form, and nothing that only looks like it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from submarine_site.core.errors import InvalidInput
from submarine_site.core.text import MAX_NAME, clean_name


@given(st.text(max_size=100))
def test_a_name_is_clean_once_and_for_all(raw: str) -> None:
    try:
        name = clean_name(raw)
    except InvalidInput:
        return
    assert clean_name(name) == name
    assert unicodedata.is_normalized("NFC", name)
    assert 1 <= len(name) <= MAX_NAME
    assert name == name.strip()
    assert "  " not in name
    name.encode()


@pytest.mark.parametrize("raw", ["", " ", "\u00a0", "\u200d", " \u200c \u200d "])
def test_what_shows_nothing_is_no_name(raw: str) -> None:
    with pytest.raises(InvalidInput, match="A name is needed"):
        clean_name(raw)


def test_the_limit_counts_characters_of_the_cleaned_name() -> None:
    assert clean_name("  " + "e\u0301" * MAX_NAME) == "é" * MAX_NAME
    with pytest.raises(InvalidInput, match="The name has 81 characters; 80 is the most"):
        clean_name("x" * 81)


def test_the_field_at_fault_is_the_one_that_was_asked_for() -> None:
    with pytest.raises(InvalidInput) as refusal:
        clean_name("", field="title")
    assert refusal.value.fields == {"title": "A name is needed."}


def test_what_is_far_too_long_is_not_normalized() -> None:
    with pytest.raises(InvalidInput) as refusal:
        clean_name("a" + "\u0301\u0316" * 400)
    assert refusal.value.fields == {"name": "The name has 801 characters; 80 is the most."}
    assert clean_name(" " * 700 + "a") == "a"
