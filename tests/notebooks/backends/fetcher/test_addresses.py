"""The second look at where code comes from: at what its host's name leads to."""

import socket

import pytest

from notebooks.backends.fetcher.addresses import Networks, Refused


def lead_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Have every name lead to these."""
    found = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (each, 443)) for each in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_a_name_leads_to_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    lead_to(monkeypatch, "192.0.2.7", "2001:db8::7", "192.0.2.7")
    assert Networks().resolve("git.example.com", 443) == [("192.0.2.7", 443), ("2001:db8::7", 443)]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "169.254.169.254", "fe80::1%eth0", "::ffff:127.0.0.1", "10.1.2.3"],
)
def test_a_name_that_leads_to_one_that_is_refused_is(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead_to(monkeypatch, "192.0.2.7", address)
    networks = Networks.of(allowed=(), blocked=("10.0.0.0/8",))
    with pytest.raises(Refused):
        networks.resolve("git.example.com", 443)


def test_what_is_allowed_wins_over_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lead_to(monkeypatch, "10.1.2.3", "127.0.0.1")
    networks = Networks.of(allowed=("10.1.0.0/16", "127.0.0.0/8"), blocked=("10.0.0.0/8",))
    assert networks.resolve("git.example.com", 443) == [("10.1.2.3", 443), ("127.0.0.1", 443)]
