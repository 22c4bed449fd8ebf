"""An address is judged as what it means."""

import pytest

from submarine_site.core.networks import client_network, effective_address, is_loopback


@pytest.mark.parametrize(
    ("written", "meant", "network"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("::127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("64:ff9b::7f00:1", "127.0.0.1", "127.0.0.1"),
        ("64:ff9b::1:0:0", "64:ff9b::1:0:0", "64:ff9b::"),
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
        ("192.0.2.1", False),
        ("", False),
    ],
)
def test_what_is_of_the_machine_itself(host: str, *, is_own: bool) -> None:
    assert is_loopback(host) is is_own
