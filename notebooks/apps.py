from django.apps import AppConfig
from django.core.checks import register

from notebooks.checks import (
    gateway_has_its_own_host,
    kubernetes_settings_can_be_used,
    local_backend_is_accepted,
)


class NotebooksConfig(AppConfig):
    name = "notebooks"

    def ready(self) -> None:
        """Have the settings checked with everything else that is."""
        register(local_backend_is_accepted)
        register(gateway_has_its_own_host)
        register(kubernetes_settings_can_be_used)
