"""Which network addresses code may come from.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Iterable

_COMPATIBLE = ip_network("::/96")  # RFC 4291
_LOOPBACK_AND_UNSPECIFIED = ip_network("::/127")
_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))  # RFC 6052, RFC 8215


class Refused(Exception):
    """No connection is made to there."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"Code may not be fetched from {host}: its network address is not allowed."
        )


@dataclass(frozen=True)
class Networks:
    """Loopback, link-local and other addresses of no host elsewhere are refused, and `blocked`;
    what is in `allowed` never is.
    """

    allowed: tuple[IPv4Network | IPv6Network, ...] = ()
    blocked: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, *, allowed: Iterable[str], blocked: Iterable[str]) -> Networks:
        return cls(tuple(map(ip_network, allowed)), tuple(map(ip_network, blocked)))

    def allow(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether a connection to it may be made."""
        every = [address, *_within(address)]
        if any(each in network for each in every for network in self.allowed):
            return True
        return not any(self._is_refused(each) for each in every)

    def allow_host(self, host: str) -> bool:
        """The same of a host as a URL names it, as far as that tells without a look-up."""
        if host == "localhost" or host.endswith((".localhost", "localhost.")):
            host = "127.0.0.1"
        try:
            return self.allow(ip_address(host))
        except ValueError:
            return True

    def resolve(self, host: str, port: int) -> list[tuple[str, int]]:
        """The addresses to connect to. Raises `Refused` if one of them is, or `OSError`."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # Without the scope of a link-local one.
        addresses = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
        if not all(self.allow(ip_address(address)) for address in addresses):
            raise Refused(host)
        return [(address, port) for address in addresses]

    def _is_refused(self, address: IPv4Address | IPv6Address) -> bool:
        return (
            address.is_loopback
            or address.is_link_local
            or address.is_unspecified
            or address.is_multicast
            or any(address in network for network in self.blocked)
        )


def _within(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return []
    carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    is_compatible = address in _COMPATIBLE and address not in _LOOPBACK_AND_UNSPECIFIED
    if is_compatible or any(address in network for network in _NAT64):
        carried.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in carried if each is not None]
