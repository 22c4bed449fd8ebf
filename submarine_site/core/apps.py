from django.apps import AppConfig

from submarine_site.core.moments import read_times_quickly


class CoreConfig(AppConfig):
    name = "submarine_site.core"
    label = "core"

    def ready(self) -> None:
        read_times_quickly()
