"""SSH key pairs: read what a user hands in, or make one. Pure."""

import base64
from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
    ssh_key_fingerprint,
)

from submarine_site.core.errors import InvalidInput

PrivateKey: TypeAlias = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey

MAX_PRIVATE_KEY = 4 * 1024
"""An RSA key of the most bits has 3.4 KiB; what it takes to read one grows with its cube."""
LEAST_RSA_BITS, MOST_RSA_BITS = 2048, 4096
_OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """`private` in OpenSSH's own format, whatever it was read from."""

    private: str = field(repr=False)
    public: str
    fingerprint: str


def generate() -> KeyPair:
    """Make a key pair (Ed25519)."""
    return _pair(Ed25519PrivateKey.generate())


def read(text: str, *, field: str) -> KeyPair:
    """Read a private key without a passphrase, OpenSSH's or PEM. Raises `InvalidInput`."""
    try:
        return _pair(_load(text.strip()))
    except TypeError:
        raise InvalidInput.field(
            field,
            "The key has a passphrase, which nobody could type at a start. Use a key without one, "
            "made for this service alone.",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidInput.field(
            field,
            "This is no private key of SSH (Ed25519, ECDSA, or RSA of "
            f"{LEAST_RSA_BITS} to {MOST_RSA_BITS} bits). Paste the whole file: it begins with "
            "-----BEGIN.",
        ) from None


def _load(text: str) -> PrivateKey:
    """Raises TypeError when there is a passphrase, ValueError for all else that is wrong."""
    if len(text) > MAX_PRIVATE_KEY:
        raise ValueError("too long")
    load = load_ssh_private_key if text.startswith(_OPENSSH) else load_pem_private_key
    # To prove that an RSA key's primes are some takes up to a minute.
    key = load(text.encode(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, PrivateKey):
        raise ValueError("of another kind")  # noqa: TRY004
    if isinstance(key, RSAPrivateKey):
        _check(key)
    return key


def _check(key: RSAPrivateKey) -> None:
    if not LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
        raise ValueError("too short or too long")
    numbers = key.private_numbers()
    if numbers.p * numbers.q != numbers.public_numbers.n:
        raise ValueError("of numbers that do not belong together")


def _pair(key: PrivateKey) -> KeyPair:
    public = key.public_key()
    digest = base64.b64encode(ssh_key_fingerprint(public, SHA256())).rstrip(b"=")
    return KeyPair(
        private=key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
        public=public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
        fingerprint=f"SHA256:{digest.decode()}",
    )
