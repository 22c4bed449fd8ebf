"""Networks that nothing of a session's may reach, and the one of the machine itself."""

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

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


_MAPPED = ip_network("::ffff:0:0/96")
_COMPATIBLE = ip_network("::/96")
_NAT64 = ip_network("64:ff9b::/96")
_LOOPBACK_AND_UNSPECIFIED = ip_network("::/127")
_SITE_PREFIX = 64


def effective_address(written: str) -> IPv4Address | IPv6Address:
    """Return the address that this one stands for: the IPv4 address where an IPv6 address embeds
    one (RFC 4291: mapped and compatible, RFC 6052: NAT64). Raises `ValueError` for no address.
    """
    address = ip_address(written)
    embeds = any(address in network for network in (_MAPPED, _COMPATIBLE, _NAT64))
    if embeds and address not in _LOOPBACK_AND_UNSPECIFIED:
        return IPv4Address(address.packed[-4:])
    return address


def nat64_network(written: str) -> str:
    """Return the IPv6 network at which a NAT64 translator (RFC 6052) presents this IPv4 network;
    empty for an IPv6 network.
    """
    network = ip_network(written)
    if isinstance(network, IPv6Network):
        return ""
    base = IPv6Address(int(_NAT64.network_address) | int(network.network_address))
    return f"{base}/{_NAT64.prefixlen + network.prefixlen}"


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
