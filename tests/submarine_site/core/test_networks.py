"""An address is judged as what it means."""

from ipaddress import ip_address

import pytest

from notebooks.backends.fetcher.addresses import _within
from submarine_site.core.networks import (
    client_network,
    effective_address,
    embedding_networks,
    is_loopback,
)


@pytest.mark.parametrize(
    ("written", "meant", "network"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("::127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("64:ff9b::7f00:1", "127.0.0.1", "127.0.0.1"),
        ("64:ff9b::1:0:0", "64:ff9b::1:0:0", "64:ff9b::"),
        ("64:ff9b:1::7f00:1", "127.0.0.1", "127.0.0.1"),
        ("64:ff9b:1:ffff::c000:201", "192.0.2.1", "192.0.2.1"),
        ("64:ff9b:2::c000:201", "64:ff9b:2::c000:201", "64:ff9b:2::"),
        ("2002:c000:201:5::1", "192.0.2.1", "192.0.2.1"),
        ("2002:7f00:1::", "127.0.0.1", "127.0.0.1"),
        ("2002::1", "0.0.0.0", "0.0.0.0"),  # noqa: S104
        ("2001:0:c633:6401::3fff:fdfe", "192.0.2.1", "192.0.2.1"),
        ("::1", "::1", "::"),
        ("::", "::", "::"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::1%eth0", "fe80::"),
    ],
)
def test_an_address_stands_for_the_ipv4_address_that_it_embeds(
    written: str, meant: str, network: str
) -> None:
    assert str(effective_address(written)) == meant
    assert client_network(written) == network


@pytest.mark.parametrize(
    "written",
    [
        "192.0.2.1",
        "::",
        "::1",
        "::2",
        "::192.0.2.1",
        "::1:0:0",
        "::ffff:192.0.2.1",
        "::fffe:192.0.2.1",
        "64:ff9b::192.0.2.1",
        "64:ff9b::1:0:0",
        "64:ff9b:1::192.0.2.1",
        "64:ff9b:1:ffff:ffff:ffff:192.0.2.1",
        "64:ff9b:2::192.0.2.1",
        "2002:c000:201::1",
        "2002::1",
        "2003:c000:201::1",
        "2001:0:c633:6401::3fff:fdfe",
        "2001:1:c633:6401::3fff:fdfe",
        "2001:db8::1",
        "fe80::1",
    ],
)
def test_what_fetches_code_knows_the_same_embedded_addresses(written: str) -> None:
    carried = _within(ip_address(written))
    assert effective_address(written) == (carried[-1] if carried else ip_address(written))


def test_networks_of_translators_and_tunnels_follow_those_of_ipv4() -> None:
    assert embedding_networks("10.0.0.0/8") == (
        "::a00:0/104",
        "64:ff9b::a00:0/104",
        "64:ff9b:1::a00:0/104",
        "2002:a00::/24",
    )
    assert embedding_networks("fc00::/7") == ()


@pytest.mark.parametrize("written", ["", "localhost", "1.2.3", "unix:", "192.0.2.1:80"])
def test_what_is_no_address_has_no_network(written: str) -> None:
    assert client_network(written) == ""


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.0.2.1", False),
        # Nothing of this machine sends from these: they let nobody in.
        ("::127.0.0.1", False),
        ("64:ff9b::127.0.0.1", False),
        ("64:ff9b:1::127.0.0.1", False),
        ("2002:7f00:1::1", False),
        ("2001:0:c633:6401::80ff:fffe", False),
        ("192.0.2.1", False),
        ("", False),
    ],
)
def test_what_is_of_the_machine_itself(host: str, *, is_own: bool) -> None:
    assert is_loopback(host) is is_own
