"""How passwords are hashed."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class LeanArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2id with OWASP's parameters.

    Django's own take 100 MiB for each password, and anybody may send wrong ones, many at once.
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
