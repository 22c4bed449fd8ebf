from django.apps import AppConfig
from django.core.checks import register

from accounts.checks import (
    people_can_sign_in,
    tokens_can_be_made,
    vault_has_its_own_key,
    vault_keys_are_long,
)


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Have the settings checked with everything else that is."""
        register(vault_keys_are_long)
        register(tokens_can_be_made)
        register(people_can_sign_in)
        register(vault_has_its_own_key, deploy=True)
