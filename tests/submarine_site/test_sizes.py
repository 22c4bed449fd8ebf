"""Amounts as people read them."""

import pytest

from submarine_site.core.sizes import about, of_size, size


@pytest.mark.parametrize(
    ("mib", "exact", "measured"),
    [
        (0, "0 GiB", "0 MiB"),
        (1, "1 MiB", "1 MiB"),
        (1024, "1 GiB", "1 GiB"),
        (1536, "1536 MiB", "1.5 GiB"),
        (3277, "3277 MiB", "3.2 GiB"),
        (10 * 1024, "10 GiB", "10 GiB"),
    ],
)
def test_an_amount_has_its_unit(mib: int, exact: str, measured: str) -> None:
    assert size(mib) == exact
    assert about(mib) == measured


@pytest.mark.parametrize(
    ("used", "total", "said"),
    [
        (3277, 10 * 1024, "3.2 of 10 GiB"),
        (512, 10 * 1024, "512 MiB of 10 GiB"),
        (16, 16, "16 of 16 MiB"),
        (0, 10 * 1024, "0 of 10 GiB"),
        (0, 16, "0 of 16 MiB"),
    ],
)
def test_how_much_of_a_whole_is_used_names_the_unit_once_where_it_can(
    used: int, total: int, said: str
) -> None:
    assert of_size(used, total) == said
