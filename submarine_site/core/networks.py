"""Networks that nothing of a session's may reach, and the one of the machine itself."""

from contextlib import suppress
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

# Where clouds give their machines credentials. Link-local (RFC 3927, RFC 4291) holds the address
# of most, and the others by name: Azure's WireServer, Alibaba, and over IPv6 AWS (instances and
# pod identity), Google, Scaleway, Oracle, Linode, each from the provider's page on its instance
# metadata.
CLOUD_METADATA = (
    "169.254.0.0/16",
    "168.63.129.16/32",
    "100.100.100.200/32",
    "fe80::/10",
    "fd00:ec2::/32",
    "fd20:ce::254/128",
    "fd00:42::42/128",
    "fd00:c1::a9fe:a9fe/128",
    "fd00:a9fe:a9fe::1/128",
)

NOT_OF_THE_INTERNET = ("0.0.0.0/8", "240.0.0.0/4", "::/128")
"""This network, and what is kept for times to come: some systems take them for their own."""


TEREDO = "2001::/32"
"""RFC 4380. The IPv4 address that one of it stands for is at its end, in no prefix of it."""

_MAPPED = ip_network("::ffff:0:0/96")
_COMPATIBLE = ip_network("::/96")
_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))  # RFC 6052, RFC 8215
_LOOPBACK_AND_UNSPECIFIED = ip_network("::/127")
_SITE_PREFIX = 64
_BITS = 128
# Prefixes that an IPv4 address follows. Of RFC 8215 the first: a site chooses its own. Without
# `::ffff:0:0/96`: no packet has one, and Kubernetes takes its networks for ones of IPv4.
_BEFORE = (
    IPv6Network("::/96"),
    IPv6Network("64:ff9b::/96"),
    IPv6Network("64:ff9b:1::/96"),
    IPv6Network("2002::/16"),  # RFC 3056
)


def effective_address(written: str) -> IPv4Address | IPv6Address:
    """Return the address that this one stands for: the IPv4 address where an IPv6 address embeds
    one (mapped, compatible, NAT64, 6to4, of Teredo the client's). Raises `ValueError` for no
    address.
    """
    address = ip_address(written)
    if isinstance(address, IPv4Address) or address in _LOOPBACK_AND_UNSPECIFIED:
        return address
    if any(address in network for network in (_MAPPED, _COMPATIBLE, *_NAT64)):
        return IPv4Address(address.packed[-4:])
    tunnelled = address.teredo[1] if address.teredo else address.sixtofour
    return tunnelled or address


def embedding_networks(written: str) -> tuple[str, ...]:
    """Return the IPv6 networks at which translators (NAT64) and tunnels (6to4, compatible) present
    this IPv4 network; none for an IPv6 network. Of Teredo there is none: see `TEREDO`.
    """
    network = ip_network(written)
    if isinstance(network, IPv6Network):
        return ()
    return tuple(_following(before, network) for before in _BEFORE)


def _following(before: IPv6Network, network: IPv4Network) -> str:
    shift = _BITS - before.prefixlen - network.max_prefixlen
    address = int(before.network_address) | int(network.network_address) << shift
    return f"{IPv6Address(address)}/{before.prefixlen + network.prefixlen}"


def client_network(written: str) -> str:
    """Return the network that a client at this address has to itself, for limits: an IPv4 address,
    or the /64 prefix of an IPv6 address. Empty where it is no address.
    """
    with suppress(ValueError):
        address = effective_address(written)
        if isinstance(address, IPv4Address):
            return str(address)
        prefix = ip_network((int(address), _SITE_PREFIX), strict=False)
        return str(prefix.network_address)
    return ""


def is_loopback(host: str) -> bool:
    """Whether this name or address is of the machine itself. Of what embeds an address of IPv4
    only a mapped one is, which is how a socket for both families writes it.
    """
    if host == "localhost":
        return True
    with suppress(ValueError):
        address = ip_address(host)
        return (effective_address(host) if address in _MAPPED else address).is_loopback
    return False
