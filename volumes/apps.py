from django.apps import AppConfig


class VolumesConfig(AppConfig):
    name = "volumes"

    def ready(self) -> None:
        """Have what they hold known by name."""
        # They have rows, which are ready by now.
        from quotas import holders  # noqa: PLC0415
        from volumes import holdings  # noqa: PLC0415

        holders.volumes.fill(holdings.described)
