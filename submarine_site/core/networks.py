"""Networks that nothing of a session's may reach, and the one of the machine itself."""

from contextlib import suppress
from ipaddress import ip_address

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
    # The same through NAT64 (RFC 6052).
    "64:ff9b::a9fe:0/112",
    "64:ff9b::a83f:8110/128",
    "64:ff9b::6464:64c8/128",
)

NOT_OF_THE_INTERNET = ("0.0.0.0/8", "240.0.0.0/4", "::/128")
"""This network, and what is kept for times to come: some systems take them for their own."""


def is_loopback(host: str) -> bool:
    """Whether this name or address is of the machine itself."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return False
