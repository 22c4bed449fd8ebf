from django.apps import AppConfig
from django.core.checks import register

from environments import building
from notebooks.checks import (
    code_settings_can_be_used,
    gateway_has_its_own_host,
    kubernetes_settings_can_be_used,
    local_backend_is_accepted,
    pods_can_reach_the_service,
)


class NotebooksConfig(AppConfig):
    name = "notebooks"

    def ready(self) -> None:
        """Have the settings checked with everything else that is, and builds find their builder."""
        # They have rows, which are ready by now.
        from accounts import uses  # noqa: PLC0415
        from environments import usage  # noqa: PLC0415
        from notebooks import builds, holdings, selectors, volumes  # noqa: PLC0415
        from quotas import holders  # noqa: PLC0415
        from volumes.host import host  # noqa: PLC0415

        register(local_backend_is_accepted)
        register(gateway_has_its_own_host)
        register(kubernetes_settings_can_be_used)
        register(code_settings_can_be_used)
        register(pods_can_reach_the_service)
        building.host.fill(builds.HOST)
        host.fill(volumes.HOST)
        holders.sessions.fill(holdings.described)
        holders.default_pool.fill(holdings.default_pool)
        usage.answer.fill(selectors.usage_of)
        uses.answer.fill(selectors.uses_by)
