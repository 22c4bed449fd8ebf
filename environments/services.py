"""What people may ask of environments. Pages, API, admin and commands all call these."""

from environments.models import Environment, EnvironmentVersion


def seed_environment(
    *, name: str, display_name: str, image: str, description: str = "", position: int = 0
) -> Environment:
    """Make an environment of the site, with nothing in it but its image, unless it is there."""
    environment, is_new = Environment.objects.get_or_create(
        name=name,
        defaults={"display_name": display_name, "description": description, "position": position},
    )
    if is_new:
        environment.newest = EnvironmentVersion.objects.create(
            environment=environment, number=1, image=image
        )
        environment.save(update_fields=["newest"])
    return environment
