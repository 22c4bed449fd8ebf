from django.apps import AppConfig
from django.core.checks import register

from notebooks.checks import gateway_has_its_own_host, local_backend_is_accepted


class NotebooksConfig(AppConfig):
    name = "notebooks"

    def ready(self) -> None:
        """Have the settings checked with everything else that is."""
        register(local_backend_is_accepted)
        register(gateway_has_its_own_host)
