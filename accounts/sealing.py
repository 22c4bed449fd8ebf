"""Encryption at rest of what users entrust to the service.

AES-256-GCM, bound to the row that it stands in: what is moved to another row opens no more. The
first of `settings.VAULT_KEYS` seals and all of them open, so that a key is replaced by putting a
new one before it, and `manage.py reseal`.
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


class Unreadable(Exception):
    """What is sealed opens under none of the keys: one is missing, or it was tampered with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    id: bytes
    cipher: AESGCM


@cache
def _key(text: str) -> _Key:
    derive = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=b"submarine.vault")
    raw = derive.derive(text.encode())
    return _Key(id=hashlib.sha256(raw).digest()[:_ID_BYTES], cipher=AESGCM(raw))


def seal(value: str, *, row: UUID) -> bytes:
    """Encrypt the value of this row: the key's id, a nonce, and the ciphertext with its tag."""
    key = _key(settings.VAULT_KEYS[0])
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return key.id + nonce + key.cipher.encrypt(nonce, value.encode(), row.bytes)


def unseal(sealed: bytes, *, row: UUID) -> str:
    """Decrypt the value of this row. Raises `Unreadable`."""
    key_id, rest = sealed[:_ID_BYTES], sealed[_ID_BYTES:]
    nonce, ciphertext = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
    for key in map(_key, settings.VAULT_KEYS):
        if key.id == key_id:
            try:
                return key.cipher.decrypt(nonce, ciphertext, row.bytes).decode()
            except (InvalidTag, ValueError):
                # ValueError: it is shorter than anything sealed.
                break
    raise Unreadable


def is_current(sealed: bytes) -> bool:
    """Whether the first key sealed it."""
    return sealed.startswith(_key(settings.VAULT_KEYS[0]).id)
