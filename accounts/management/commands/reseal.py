"""Encrypts what users entrusted anew, under the first key: then the keys after it can go."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import vault


class Command(BaseCommand):
    help = "Encrypt users' secrets and git credentials under the first of SUBMARINE_VAULT_KEYS."

    def handle(self, *_args: Any, **_options: Any) -> None:
        outcome = vault.reseal()
        self.stdout.write(f"Encrypted {outcome.resealed} anew.")
        if outcome.unreadable:
            # The keys have to stay until their owners have stored them again.
            raise CommandError(
                f"{len(outcome.unreadable)} cannot be decrypted under any key: "
                + ", ".join(map(str, outcome.unreadable))
            )
