from django.apps import AppConfig
from django.core.checks import register

from submarine_v1.checks import clients_can_reach_the_service, nobody_else_can_be_let_in


class SubmarineV1Config(AppConfig):
    name = "submarine_v1"

    def ready(self) -> None:
        """Have the settings checked with everything else that is."""
        register(nobody_else_can_be_let_in)
        register(clients_can_reach_the_service)
