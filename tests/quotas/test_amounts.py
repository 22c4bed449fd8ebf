"""Amounts as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotas import amounts
from quotas.amounts import CPU, MAX_AMOUNT, MEMORY, SESSIONS, STORAGE, VOLUMES, gpu
from submarine_site.core.errors import InvalidInput

SIZE = "A number with MiB, GiB or TiB is needed, such as “10 GiB”; or “unlimited”."
CORES = "A number of cores is needed, such as “4” or “0.5”; or “unlimited”."
PIECES = "A whole number is needed, 0 or more; or “unlimited”."


@pytest.mark.parametrize(
    ("resource", "text", "amount"),
    [
        (SESSIONS, "3", 3),
        (SESSIONS, "0", 0),
        (SESSIONS, " Unlimited ", None),
        (CPU, "4", 4000),
        (CPU, "0.5", 500),
        (CPU, "0.001", 1),
        (MEMORY, "512MiB", 512),
        (MEMORY, "10 GiB", 10240),
        (STORAGE, "10Gi", 10240),
        (STORAGE, "1.5 TiB", 1536 * 1024),
        (gpu("a100"), "2", 2),
        (VOLUMES, "100", 100),
    ],
)
def test_what_people_write_is_read(resource: str, text: str, amount: int | None) -> None:
    assert amounts.parse(resource, text) == amount


@pytest.mark.parametrize(
    ("resource", "text", "message"),
    [
        (SESSIONS, "-1", PIECES),
        (SESSIONS, "1.0", PIECES),
        (SESSIONS, "1e400", PIECES),
        (SESSIONS, "NaN", PIECES),
        (SESSIONS, "", PIECES),
        (SESSIONS, "\uff13", PIECES),
        (SESSIONS, "3 sessions", PIECES),
        (SESSIONS, "=1+2", PIECES),
        (SESSIONS, "1" * 5000, PIECES),
        (gpu("a100"), "0.5", PIECES),
        (gpu("a100"), "0.5 GPU", PIECES),
        (CPU, "0.0005", CORES),
        (CPU, "-4", CORES),
        (CPU, "inf", CORES),
        (CPU, "4 GiB", CORES),
        (MEMORY, "10", SIZE),
        (MEMORY, "10G", SIZE),
        (MEMORY, "10 GB", SIZE),
        (MEMORY, "10 gib", SIZE),
        (MEMORY, "0.3 MiB", SIZE),
        (MEMORY, "1e9 GiB", SIZE),
        (STORAGE, "-10 GiB", SIZE),
        (SESSIONS, str(MAX_AMOUNT + 1), "At most 1000000000000 sessions."),
    ],
)
def test_what_is_no_amount_is_refused_naming_the_field(
    resource: str, text: str, message: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        amounts.parse(resource, text, field="line 3")
    assert refusal.value.fields == {"line 3": message}


@given(
    st.sampled_from([SESSIONS, VOLUMES, gpu("gpu")]),
    st.integers(0, MAX_AMOUNT),
)
def test_whole_numbers_are_read_as_they_are(resource: str, amount: int) -> None:
    assert amounts.parse(resource, str(amount)) == amount


@given(st.sampled_from([MEMORY, STORAGE]), st.integers(0, MAX_AMOUNT))
def test_a_size_that_is_shown_is_read_as_the_same(resource: str, amount: int) -> None:
    assert amounts.parse(resource, amounts.show(resource, amount)) == amount


@given(st.text(max_size=40))
def test_no_text_does_worse_than_being_refused(text: str) -> None:
    for resource in (SESSIONS, CPU, MEMORY):
        try:
            amount = amounts.parse(resource, text)
        except InvalidInput:
            continue
        assert amount is None or 0 <= amount <= MAX_AMOUNT


@pytest.mark.parametrize(
    ("resource", "amount", "shown"),
    [
        (SESSIONS, 1, "1 session"),
        (SESSIONS, 0, "0 sessions"),
        (VOLUMES, 1, "1 volume"),
        (CPU, 12000, "12 CPU"),
        (CPU, 500, "0.5 CPU"),
        (CPU, 10**12, "1000000000 CPU"),
        (MEMORY, 16384, "16 GiB"),
        (gpu("a100"), 1, "1 GPU a100"),
        (gpu("gpu"), 2, "2 GPU"),
        (STORAGE, None, "unlimited"),
    ],
)
def test_amounts_are_shown_with_their_unit(resource: str, amount: int | None, shown: str) -> None:
    assert amounts.show(resource, amount) == shown


@pytest.mark.parametrize("name", ["sessions", "gpu:a100", "gpu:*", "volumes"])
def test_limits_are_of_these(name: str) -> None:
    assert amounts.is_resource(name)


@pytest.mark.parametrize("name", ["", "gpu", "gpu:", "gpu:A100", "gpu:a b", "cpu", "gpu:a\n"])
def test_limits_are_of_nothing_else(name: str) -> None:
    assert not amounts.is_resource(name)


def test_they_stand_in_one_order() -> None:
    given = [STORAGE, gpu("b"), SESSIONS, gpu("a"), MEMORY, CPU, VOLUMES, CPU]
    assert amounts.ordered(given) == [
        SESSIONS,
        CPU,
        MEMORY,
        gpu("a"),
        gpu("b"),
        STORAGE,
        VOLUMES,
    ]


def test_who_cannot_have_no_limit_is_not_offered_it() -> None:
    with pytest.raises(InvalidInput) as refusal:
        amounts.parse(SESSIONS, "many", offers_unlimited=False)
    assert refusal.value.fields == {"amount": "A whole number is needed, 0 or more."}
