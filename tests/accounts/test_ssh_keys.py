"""Which private keys are taken, and what is told of them. `ssh-keygen` has the last word."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from accounts import ssh_keys
from submarine_site.core.errors import InvalidInput

OPENSSH, PKCS8, PKCS1 = (
    PrivateFormat.OpenSSH,
    PrivateFormat.PKCS8,
    PrivateFormat.TraditionalOpenSSL,
)
ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())


def large() -> rsa.RSAPrivateKey:
    """A key of Mersenne primes: so large that nobody has to look for some."""
    p, q = 2**2203 - 1, 2**2281 - 1
    d = pow(65537, -1, (p - 1) * (q - 1))
    rest = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, *rest, rsa.RSAPublicNumbers(65537, p * q))
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def with_another_prime(key: rsa.RSAPrivateKey) -> str:
    der = key.private_bytes(Encoding.DER, PKCS1, NoEncryption())
    p = key.private_numbers().p
    was, now = (each.to_bytes(128, "big") for each in (p, p ^ 2))
    text = base64.encodebytes(der.replace(was, now)).decode()
    return f"-----BEGIN RSA PRIVATE KEY-----\n{text}-----END RSA PRIVATE KEY-----\n"


def written(key, form=OPENSSH, passphrase: bytes | None = None) -> str:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return str(key.private_bytes(Encoding.PEM, form, encryption).decode())


@pytest.mark.parametrize(
    ("key", "form", "kind"),
    [
        (ED25519, OPENSSH, "ssh-ed25519"),
        (ED25519, PKCS8, "ssh-ed25519"),
        (RSA, OPENSSH, "ssh-rsa"),
        (RSA, PKCS1, "ssh-rsa"),
        (P256, PKCS8, "ecdsa-sha2-nistp256"),
    ],
)
def test_usual_keys_are_read_whatever_they_are_written_in(key, form, kind: str) -> None:
    pair = ssh_keys.read(written(key, form), field="secret")
    assert pair.public.split(" ")[0] == kind
    assert pair.private.startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")


def test_a_key_is_read_as_browsers_send_it() -> None:
    sent = f"  {written(ED25519)}  ".replace("\n", "\r\n")
    plain = ssh_keys.read(written(ED25519), field="secret")
    assert ssh_keys.read(sent, field="secret").fingerprint == plain.fingerprint


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_openssh_reads_a_key_that_was_made_and_tells_the_same_of_it(tmp_path: Path) -> None:
    pair = ssh_keys.generate()
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(pair.private)

    def keygen(*options: str) -> str:
        return subprocess.check_output(["ssh-keygen", *options, "-f", file], text=True)

    assert keygen("-y").split()[:2] == pair.public.split()
    assert pair.fingerprint in keygen("-l")


def test_a_key_with_a_passphrase_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidInput, match="has a passphrase"):
        ssh_keys.read(written(ED25519, PKCS8, b"passphrase"), field="secret")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_so_is_one_in_the_format_of_openssh(tmp_path: Path) -> None:
    file = tmp_path / "key"
    subprocess.check_call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "passphrase", "-f", file])
    with pytest.raises(InvalidInput, match="has a passphrase"):
        ssh_keys.read(file.read_text(), field="secret")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "\ud800",
        "\0",
        written(ED25519)[:-80],
        written(ED25519) * 100,
        ssh_keys.generate().public,
        written(rsa.generate_private_key(65537, 1024), PKCS1),  # noqa: S505
        written(ec.generate_private_key(ec.SECP256K1()), PKCS8),
        written(x25519.X25519PrivateKey.generate(), PKCS8),
        written(large(), PKCS1),
        with_another_prime(RSA),
    ],
    ids=[
        *("empty", "word", "half", "nul", "cut", "long", "public", "short", "curve", "other"),
        *("large", "prime"),
    ],
)
def test_what_is_no_usable_private_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no private key of SSH") as refused:
        ssh_keys.read(text, field="secret")
    assert list(refused.value.fields) == ["secret"]


def test_a_private_key_is_not_in_the_words_of_its_object() -> None:
    assert "PRIVATE" not in repr(ssh_keys.generate())
