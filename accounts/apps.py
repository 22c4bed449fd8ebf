from django.apps import AppConfig
from django.core.checks import register

from accounts.checks import tokens_can_be_made, vault_has_its_own_key, vault_keys_are_long


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Have the settings checked with everything else that is."""
        register(vault_keys_are_long)
        register(tokens_can_be_made)
        register(vault_has_its_own_key, deploy=True)
