"""How passwords are hashed: with no more memory than a flood of sign-ins may take."""

from django.contrib.auth.hashers import check_password, make_password

from accounts.hashers import LeanArgon2PasswordHasher


def test_a_password_takes_no_more_memory_than_is_needed() -> None:
    encoded = LeanArgon2PasswordHasher().encode("secret", "saltsalt")
    assert encoded.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_what_django_hashed_before_still_holds_and_is_hashed_anew(settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    before = make_password("secret")
    settings.PASSWORD_HASHERS = ["accounts.hashers.LeanArgon2PasswordHasher"]
    kept: list[str] = []

    assert check_password("secret", before, setter=kept.append)
    assert kept == ["secret"]
