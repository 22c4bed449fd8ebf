"""Encryption at rest of what users entrust to the service.

AES-256-GCM, bound to the row that it stands in: what is moved to another row opens no more. The
first of `settings.VAULT_KEYS` seals and all of them open, so that a key is replaced by putting a
new one before it, and `manage.py reseal`. What is sealed for a client takes a secret of theirs too,
which is nowhere kept.
"""

import hashlib
import secrets
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_KEY_BYTES = 32
_ID_BYTES = 8
_NONCE_BYTES = 12
_SALT_BYTES = 16


class Unreadable(Exception):
    """What is sealed opens under none of the keys: one is missing, or it was tampered with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    id: bytes
    cipher: AESGCM


@cache
def _key(text: str) -> _Key:
    raw = _derived(text, salt=None, info=b"submarine.vault")
    return _Key(id=hashlib.sha256(raw).digest()[:_ID_BYTES], cipher=AESGCM(raw))


def seal(value: str, *, row: UUID) -> bytes:
    """Encrypt the value of this row: the key's id, a nonce, and the ciphertext with its tag."""
    key = _key(settings.VAULT_KEYS[0])
    return key.id + _encrypted(key.cipher, value, row)


def unseal(sealed: bytes, *, row: UUID) -> str:
    """Decrypt the value of this row. Raises `Unreadable`."""
    key_id, rest = sealed[:_ID_BYTES], sealed[_ID_BYTES:]
    for key in map(_key, settings.VAULT_KEYS):
        if key.id == key_id:
            return _decrypted(key.cipher, rest, row)
    raise Unreadable


def is_current(sealed: bytes) -> bool:
    """Whether the first key sealed it."""
    return sealed.startswith(_key(settings.VAULT_KEYS[0]).id)


def seal_for(client: str, value: str, *, row: UUID) -> bytes:
    """Encrypt the value of this row: a salt, a nonce, and the ciphertext with its tag. To open it
    takes the client's secret, which has no NUL in it, and `settings.SECRET_KEY`.
    """
    salt = secrets.token_bytes(_SALT_BYTES)
    return salt + _encrypted(_cipher_for(client, salt), value, row)


def unseal_for(client: str, sealed: bytes, *, row: UUID) -> str:
    """Decrypt the value of this row. Raises `Unreadable`."""
    salt, rest = sealed[:_SALT_BYTES], sealed[_SALT_BYTES:]
    return _decrypted(_cipher_for(client, salt), rest, row)


def _cipher_for(client: str, salt: bytes) -> AESGCM:
    raw = _derived(f"{client}\0{settings.SECRET_KEY}", salt=salt, info=b"submarine.client")
    return AESGCM(raw)


def _derived(text: str, *, salt: bytes | None, info: bytes) -> bytes:
    derive = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=salt, info=info)
    return derive.derive(text.encode())


def _encrypted(cipher: AESGCM, value: str, row: UUID) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, value.encode(), row.bytes)


def _decrypted(cipher: AESGCM, sealed: bytes, row: UUID) -> str:
    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return cipher.decrypt(nonce, ciphertext, row.bytes).decode()
    except (InvalidTag, ValueError):
        # ValueError: it is shorter than anything sealed.
        raise Unreadable from None
