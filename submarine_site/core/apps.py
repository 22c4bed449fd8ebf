from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "submarine_site.core"
    label = "core"
